-- The session's record, and the facts of the caller that each step has.

--[[
  session: t token, u the user that opened it, n nonce of the last call, d digest
  of the last POST, o when it was opened, b bytes of its POSTs, q quirks, y style
  of what is written (both only when there are any), g the RPCs given up, z the tasks that wait
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
                     'y', 'f', 'u')
    if not got[2] then
        return nil
    end
    c.free = got[9] == '1'
    local p = several.unpacked(got[2])
    return p[1] and { t = got[1], n = got[3] or '', d = got[4] or '',
                      o = got[5] or nil,
                      b = string.match(got[6] or '0', '^%d+$') or '0',
                      q = got[7] or nil, y = got[8] or nil, u = got[10] or '',
                      s = p[1], r = p[2], m = p[3], a = p[4], e = p[5],
                      c = p[6], l = p[7], to = p[8], v = p[9], idle = p[8],
                      outstanding = '0', most = '0' }
end

do

--[[
  What a device's user has proven itself with, so that nothing is taken twice, in
  hex and of fixed width, since each POST looks at it: a time up to which nonces
  are taken as used, the last POST, and how each nonce begins, which is with its
  time, with its highest count; first that of the last POST.  A time is 8 digits of
  seconds, 2 of their 256ths.  Agents that reconnect for each POST bring a new
  nonce each time.  Further calls of the last POST, and one that is repeated since
  its reply was lost, use nothing up.  What no node takes any more is left out: two
  nonces are 64 bytes, above which the device's hash loses its small form.
]]
local TIME, POST, NAME, COUNT = 10, 10, 14, 8
local HEAD, ONE = TIME + POST, NAME + COUNT
local NONE = '00000000000000000000'

local function nonce_time(seconds)
    return string.format('%08xff', math.max(0, math.floor(seconds)))
end

local function is_list(kept)
    return #kept <= HEAD + BOUND.nonces * ONE and (#kept - HEAD) % ONE == 0
           and not string.find(kept, '%X')
end

local function place_of(kept, nonce)
    local at = string.find(kept, nonce, HEAD + 1, true)
    while at and (at - HEAD) % ONE ~= 1 do
        at = string.find(kept, nonce, at + 1, true)
    end
    return at
end

local function made(nonce)
    return tonumber(string.sub(nonce, 1, 8), 16)
end

local function later(a, b)
    return a > b
end

-- With this one before the others, as far as they are kept.  What is later than
-- latest only a node takes whose clock is ahead: it stays while there is room, and
-- shuts nobody out once that clock is right.  The lowest never sinks, whatever
-- Redis' clock does.
local function nonces_with(kept, at, a, latest)
    local lowest, gone, others, ahead = string.sub(kept, 1, TIME), '', {}, {}
    for i = HEAD + 1, #kept, ONE do
        local one = string.sub(kept, i, i + ONE - 1)
        local to = one > latest and a.nonce <= latest and ahead or others
        if i ~= at then
            to[#to + 1] = one
        end
    end
    if others[2] then
        table.sort(others, later)
    end
    local oldest = nonce_time(made(a.nonce) - BOUND.nonce)
    local list = { a.nonce .. a.count }
    for _, one in ipairs(others) do
        if #list < BOUND.nonces and one > oldest then
            list[#list + 1] = one
        elseif gone == '' then
            local time = string.sub(one, 1, TIME)
            gone = time > latest and latest or time
        end
    end
    for i = 1, math.min(#ahead, BOUND.nonces - #list) do
        list[#list + 1] = ahead[i]
    end
    return (gone > lowest and gone or lowest) .. a.post .. table.concat(list)
end

-- All are taken as used that were made before this second, or before this one,
-- where nodes and Redis have not the same time; and so is this one.
local function spoilt(c, a)
    local now, this = c.when + 0, made(a.nonce)
    if math.abs(now - this) > BOUND.nonce then
        now = this
    end
    call('HSET', c.k[DEVICE], 'nonces', nonce_time(now - 1)
         .. string.rep('0', POST) .. a.nonce .. a.count)
    note(c, 'field nonces of ' .. c.k[DEVICE] .. ' was spoilt: who it is must '
            .. 'be proven anew')
    return true
end

-- one that is not the last
local function is_used_or_old(c, a, kept, at)
    local lowest = string.sub(kept, 1, TIME)
    if lowest > nonce_time(made(a.nonce) + BOUND.nonce) then
        return spoilt(c, a)       -- a node has just found this one good
    elseif not at and string.sub(a.nonce, 1, TIME) <= lowest then
        return true
    end
    a.nonces = nonces_with(kept, at, a, nonce_time(c.when + BOUND.ahead))
    return false
end

local function is_used(c, a)
    local kept = a.kept
    if kept == nil then
        kept = call('HGET', c.k[DEVICE], 'nonces')
    end
    kept = kept or NONE
    if not is_list(kept) then
        return spoilt(c, a)
    end
    local at = place_of(kept, a.nonce)
    local high = at and string.sub(kept, at + NAME, at + ONE - 1)
    local last = at == HEAD + 1
    if last and a.count == high and a.post == string.sub(kept, TIME + 1, HEAD) then
        return false
    elseif at and a.count <= high then
        return true
    elseif not last then
        return is_used_or_old(c, a, kept, at)
    end
    a.nonces = string.sub(kept, 1, TIME) .. a.post .. a.nonce .. a.count
               .. string.sub(kept, HEAD + ONE + 1)
    return false
end

-- what this POST has used up is kept, once it was taken
function several.spend(c)
    if c.auth and c.auth.nonces then
        call('HSET', c.k[DEVICE], 'nonces', c.auth.nonces)
    end
end

-- Of a session that is gone on with: no user is in one that was opened where
-- none was asked for.  The user that is the device itself may go on with one that
-- a user of many has opened: RotateCredentials makes it in a session.
local function is_anothers_session(c, user, name)
    if user == '' then
        note(c, 'the session was opened without authentication: it is over')
        return { 'unknown', c.notes }
    end
    return user ~= name and name ~= c.id and { 'denied', c.notes } or nil
end

-- c.auth, of "NONCE COUNT POST USER", NONCE being - where it proves itself by
-- something else; nil where nobody has to say who it is.
function several.proof_of(text)
    local nonce, count, post, user = string.match(text,
                                         '^(%S+) (%x+) (%x+) (.+)$')
    return { nonce = nonce, count = count, post = post, user = user,
             kept = nil, nonces = nil }
end

-- Whose POST is it?  A verb when it must not be taken; user: who has opened the
-- session that it goes on with, nil of an Inform.
function several.refusal(c, user)
    local a = c.auth
    if not a then
        return nil
    elseif not a.user then
        return { 'denied', c.notes }
    end
    local refused = user and is_anothers_session(c, user, a.user) or nil
    if not refused and a.nonce ~= '-' and is_used(c, a) then
        note(c, 'what it proves its user with was used before')
        refused = { 'stale', c.notes }
    end
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
