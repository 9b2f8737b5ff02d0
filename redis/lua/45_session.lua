-- The session's record, and the facts of the caller that each step has.

--[[
  session: t token, n nonce of the last call, d digest of the last POST, o when
  it was opened, b bytes of its POSTs, q quirks, y style of what is written (both
  only when there are any), g the RPCs that were given up, f 1 while no task
  lives, as free of the device is: to look for a key that is not there is dear
  among many devices; and in p, since
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
                      o = got[5] or nil, b = got[6] or '0',
                      q = got[7] or nil, y = got[8] or nil, s = p[1], r = p[2],
                      m = p[3], a = p[4], e = p[5], c = p[6], l = p[7],
                      to = p[8], v = p[9], idle = p[8], outstanding = '0',
                      most = '0' }
end

-- What a device's user has proven itself with, so that nothing is used twice:
-- "LOWEST NONCE=COUNT ...", and a time up to which others are taken as used.  A
-- nonce begins with its time: 8 digits of seconds, 4 of their 65536ths, in hex.
-- Agents that reconnect for each POST bring a new one each time.
local function is_used(c, nonce, count)
    local kept = call('HGET', c.k[DEVICE], 'nonces') or '000000000000'
    local lowest = #kept <= BOUND.nonces * 48
                   and string.match(kept, '^%x%x%x%x%x%x%x%x%x%x%x%x')
    if not lowest then                  -- spoilt: up to now all were used
        kept, lowest = '', string.format('%08xffff', c.when)
    end
    local old = string.format('%08x', c.when - BOUND.nonce)
    local list, known = {}, nil
    for n, highest in string.gmatch(kept, ' (%x+)=(%d+)') do
        if n == nonce then
            known = { n, tonumber(highest) }
            list[#list + 1] = known
        elseif n < old then
            lowest = string.sub(n, 1, 12) > lowest and string.sub(n, 1, 12)
                     or lowest
        else
            list[#list + 1] = { n, highest }
        end
    end
    if known and count <= known[2]
       or not known and string.sub(nonce, 1, 12) <= lowest
    then
        return true
    elseif known then
        known[2] = count
    else
        list[#list + 1] = { nonce, count }
    end
    if #list > BOUND.nonces then
        table.sort(list, function(one, other) return one[1] < other[1] end)
        lowest = string.sub(table.remove(list, 1)[1], 1, 12)
    end
    for i, pair in ipairs(list) do
        list[i] = ' ' .. pair[1] .. '=' .. pair[2]
    end
    call('HSET', c.k[DEVICE], 'nonces', lowest .. table.concat(list))
    return false
end

-- Whose POST is it?  c.auth: "NONCE COUNT USER", NONCE being - where it proves
-- itself by something else.  A verb when it must not be taken; user: of the
-- session that it goes on with.
function several.refusal(c, user)
    if not c.auth then
        return nil
    end
    local nonce, count, name = string.match(c.auth, '^(%S+) (%d+) (.*)$')
    if user and user ~= name then
        event(c, 'auth failure', 'user', name, 'reason',
              'the session is another user\'s')
        return { 'denied', c.notes }
    elseif nonce ~= '-' and is_used(c, nonce, tonumber(count)) then
        note(c, 'what it proves its user with was used before')
        return { 'stale', c.notes }
    end
    c.user = name
    return nil
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
    if task then
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
