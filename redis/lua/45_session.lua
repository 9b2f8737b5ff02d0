-- The session's record, and the facts of the caller that each step has.

--[[
  session: t token, u the user that opened it, n nonce of the last call, d digest of the last POST, o when
  it was opened, b bytes of its POSTs, q quirks, y style of what is written (both
  only when there are any), g the RPCs that were given up, z the tasks that wait
  for a node with a key, f 1 while no task lives, as free of the device is: to
  look for a key that is not there is dear among many devices; and in p, since
  each field costs: s state, r 1 when the last POST was answered twice, m 1 when
  it answered an RPC by its ID, a the verb it got, e empty POSTs in a row while
  an RPC is outstanding, c RPCs sent, l 1 when no more RPCs may be sent, to
  time-out, v namespace and version of CWMP.
]]
several.unpacked = remembered('^(%d) (%d) (%d) (%a+) (%d+) (%d+) (%d) (%d+) '
                              .. '(.*)$')
local FRESH = CPE .. ' 0 0 inform 0 0 '     -- how p begins, up to l

local function load_session(c)
    local got = call('HMGET', c.k[SESSION], 't', 'p', 'n', 'd', 'o', 'b', 'q',
                     'y', 'f')
    if not got[2] then
        return nil
    end
    c.free = got[9] == '1'
    local p = several.unpacked(got[2])
    return p[1] and { t = got[1], n = got[3] or '', d = got[4] or '',
                      o = got[5] or nil,
                      b = string.match(got[6] or '0', '^%d+$') or '0',
                      q = got[7] or nil, y = got[8] or nil, s = p[1], r = p[2],
                      m = p[3], a = p[4], e = p[5], c = p[6], l = p[7],
                      to = p[8], v = p[9], idle = p[8], outstanding = '0',
                      most = '0' }
end

do

--[[
  What a device's user has proven itself with, so that nothing is taken twice:
  "LOWEST NONCE=COUNT:POST NONCE=COUNT ...", and a time up to which others are
  taken as used.  A nonce begins with its time: 8 digits of seconds, 4 of their
  65536ths, in hex.  Agents that reconnect for each POST bring a new one each
  time.  The POST is that of the last count: its further calls, and one that is
  repeated since its reply was lost, use nothing up.  What no node takes any
  more is left out: above 64 bytes the device's hash loses its small form.
]]
local NONCE_TIME = 12

local function nonces_text(lowest, list)
    local text = { lowest }
    for i, one in ipairs(list) do
        text[i + 1] = one[1] .. '=' .. one[2]
                      .. (one[3] ~= '' and ':' .. one[3] or '')
    end
    return table.concat(text, ' ')
end

-- nil when it was spoilt
local function nonces_of(kept)
    local list, lowest = {}, string.sub(kept, 1, NONCE_TIME)
    if #kept > BOUND.nonces * 64 or not string.find(lowest, '^%x+$')
       or #lowest < NONCE_TIME
    then
        return nil
    end
    for nonce, count, post in string.gmatch(kept, ' (%x+)=(%d+):?(%x*)') do
        list[#list + 1] = { nonce, count, post }
    end
    return nonces_text(lowest, list) == kept and lowest, list
end

-- With this one before the others, as far as they are kept.  most: no other node
-- takes what is later, so that a clock that was ahead shuts nobody out once it is
-- right.
local function nonces_with(lowest, list, one, most)
    local kept, gone = { one }, nil
    local oldest = string.format('%08x', tonumber(string.sub(one[1], 1, 8), 16)
                                         - BOUND.nonce)
    table.sort(list, function(a, b) return a[1] > b[1] end)
    for _, other in ipairs(list) do
        if other[1] == one[1] or other[1] > most and one[1] <= most then
            -- it takes its place; or nodes whose clocks are right refuse it
        elseif #kept < BOUND.nonces and other[1] > oldest then
            kept[#kept + 1] = { other[1], other[2], '' }
        else
            gone = gone or string.sub(other[1], 1, NONCE_TIME)
        end
    end
    gone = gone and gone > most and most or gone
    return nonces_text(gone and gone > lowest and gone or lowest, kept)
end

local function is_used(c, nonce, count, post)
    local kept = call('HGET', c.k[DEVICE], 'nonces')
    local lowest, list = nonces_of(kept or string.rep('0', NONCE_TIME))
    if not lowest then
        -- all are taken as used that were made before this second
        lowest = string.format('%08xffff', math.floor(c.now / 1000) - 1)
        call('HSET', c.k[DEVICE], 'nonces', lowest)
        note(c, 'field nonces of ' .. c.k[DEVICE] .. ' was spoilt: who it is '
                .. 'must be proven anew')
        return true
    end
    local known
    for _, one in ipairs(list) do
        known = one[1] == nonce and one or known
    end
    if known and tonumber(count) == tonumber(known[2]) and post == known[3] then
        return false
    end
    if known and tonumber(count) <= tonumber(known[2])
       or not known and string.sub(nonce, 1, NONCE_TIME) <= lowest
    then
        return true
    end
    c.nonces = nonces_with(lowest, list, { nonce, count, post },
                           string.format('%08xffff', math.floor(c.now / 1000)
                                                     + BOUND.ahead))
    return false
end

-- what this POST has used up is kept, once it was taken
function several.spend(c)
    if c.nonces then
        call('HSET', c.k[DEVICE], 'nonces', c.nonces)
    end
end

-- A POST that leads nowhere has shown it, too.  (A device that is not known has
-- nothing that could be taken over.)
function several.use_up(c)
    if c.auth and call('HEXISTS', c.k[DEVICE], 'first') == 1 then
        local refused = several.refusal(c, true)
        several.spend(c)
        return refused
    end
end

-- Of a session that is gone on with: no user is in one that was opened where
-- none was asked for.  The user that is the device itself may go on with one that
-- a user of many has opened: RotateCredentials makes it in a session.
local function is_anothers_session(c, name)
    local user = call('HGET', c.k[SESSION], 'u') or ''
    if user == '' then
        note(c, 'the session was opened without authentication: it is over')
        return { 'unknown', c.notes }
    end
    return user ~= name and name ~= c.id and { 'denied', c.notes } or nil
end

function several.is_own(c)
    return not c.auth or call('HGET', c.k[SESSION], 'u') == c.user
end

--[[
  Whose POST is it?  c.auth: "NONCE COUNT POST USER", NONCE being - where it
  proves itself by something else; nil where nobody has to.  A verb when it must
  not be taken; opens: it is an Inform.
]]
function several.refusal(c, opens)
    if not c.auth then
        return nil
    end
    local nonce, count, post, name = string.match(c.auth,
                                         '^(%S+) (%d+) (%x+) (.+)$')
    if not name then
        return { 'denied', c.notes }
    end
    local refused = not opens and is_anothers_session(c, name) or nil
    if not refused and nonce ~= '-' and is_used(c, nonce, count, post) then
        note(c, 'what it proves its user with was used before')
        refused = { 'stale', c.notes }
    end
    c.user = name
    return refused
end

end

local function pack(s)
    return s.s .. ' ' .. s.r .. ' ' .. s.m .. ' ' .. s.a .. ' ' .. s.e .. ' '
           .. s.c .. ' ' .. s.l .. ' ' .. s.to .. ' ' .. s.v
end

-- Without a nonce when nothing but p has changed; a session without an RPC lasts
-- no longer for that.
local function save(c, s, nonce, digest)
    if nonce then
        call('HSET', c.k[SESSION], 'p', pack(s), 'n', nonce, 'd', digest,
             'b', s.b)
    else
        call('HSET', c.k[SESSION], 'p', pack(s))
        if s.c == '0' then
            return
        end
    end
    local lease = s.idle
    if s.s == ACS and tonumber(s.outstanding) > tonumber(lease) then
        lease = s.outstanding
    end
    call('PEXPIRE', c.k[SESSION], lease)
end

-- the RPC outstanding, with the same ID
local function same_rpc(c, s)
    local run = load_running(c)
    local task, json
    if run then
        task, json = several.outstanding(c, run)
    end
    if task and several.must_wait(c, run.id, task, json) then
        -- whoever has sent it may have been heard: the session is over
        s.s, s.a = CLOSING, 'end'
        return { 'end', c.notes }
    elseif task then
        return rpc_reply(c, s, run, task, json)
    end
    return next_task(c, s)
end

local function replay(c, s)
    if s.a == 'rpc' then
        return same_rpc(c, s)
    end
    return { s.a, c.notes, s.y or '' }
end

--[[
  Which data model the parameters of an Inform tell: "Device:2.11" by its
  RootDataModelVersion, "InternetGatewayDevice:1.4" or "Device:1.0" by the
  DeviceSummary, which Device:2 has not.  One that leaves these out is told by
  its root as far as that goes.  args from first: name, letter and value, ...
]]
local function data_model(root, args, first)
    local gateway = root == 'InternetGatewayDevice'
    local found = gateway and 'InternetGatewayDevice:1' or nil
    for i = first, #args - 1, 2 do
        local version
        if args[i] == root .. '.RootDataModelVersion' and not gateway then
            version = string.match(args[i + 1], '^.%s*(2%.?%d*)') or '2'
        elseif args[i] == root .. '.DeviceSummary' then
            version = string.match(args[i + 1], '^.%s*%a+:(1%.?%d*)') or '1'
        end
        if version then
            return (gateway and 'InternetGatewayDevice:' or 'Device:')
                   .. string.sub(version, 1, 8)
        end
    end
    return found
end
