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
