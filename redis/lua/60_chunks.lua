-- What comes ahead of its step or beside it: parameters of a long response, and
-- an RPC that is held until replicas have it.

do

-- who has opened the session, '' where nobody has to say; nil when it is over
local function opened_by(c, token)
    local got = call('HMGET', c.k[SESSION], 't', 'u')
    return got[1] == token and (got[2] or '') or nil
end

-- Parameters of a long response, ahead of its step; from first on: name, letter
-- and value, ...  rpc: the ID that it has, nil when that is not known.  Only
-- an answer that the step may take as one to the RPC outstanding is stored.
local function chunk(keys, args, first, rpc, write, auth)
    local c = context(keys, args[1])
    c.auth = auth and several.proof_of(auth)
    local user = opened_by(c, args[2])
    local refused = user and several.refusal(c, user)
    if not user then
        return { 'unknown', c.notes }
    elseif refused then
        return refused
    end
    several.spend(c)
    local run = load_running(c)
    if not run
       or (several.rpc[run.phase] or run.method) ~= 'GetParameterValues'
    then
        -- no values were asked for
    elseif rpc and several.is_anothers(run, rpc)
           and (run.takes == '' or several.is_given_up(c, rpc))
    then
        call('HSET', c.k[RUNNING], 'strayed', rpc)
    else
        call('HINCRBY', c.k[RUNNING], 'came',
             write(c, run.gen, args, first, run))
        call('HDEL', c.k[DEVICE], 'informed')
    end
    call('PEXPIRE', c.k[SESSION], args[3], 'GT')
    return { 'more', c.notes }
end

-- keys as for the step; args: id, token, outstanding ms, then the parameters
local function cwmp_chunk_1(keys, args)
    return chunk(keys, args, 4, nil, write_params)
end

-- the same; args: id, token, outstanding ms, the ID that the answer has, ...
local function cwmp_chunk_2(keys, args)
    return chunk(keys, args, 5, args[4], write_params)
end

-- the same, by object: object, how many, their names, letters and values, both
-- lists with \1 in between; for what is too long for that: path, 0, '', letter
-- and value; ...
local function cwmp_chunk_3(keys, args)
    return chunk(keys, args, 5, args[4], write_objects)
end

-- the same; who it is as well, as the last argument
local function cwmp_chunk_4(keys, args)
    local auth = table.remove(args)
    return chunk(keys, args, 5, args[4], write_objects, auth)
end

-- The RPC is not sent until replicas know that it may have been: what the WAIT
-- that follows is for, since it asks for the caller's own writes.  keys: running;
-- args: the RPC's ID.  How often it was held; 0: it is not outstanding here.
local function cwmp_hold_1(keys, args)
    if call('HGET', keys[1], 'rpc') ~= args[1] then
        return 0
    end
    return call('HINCRBY', keys[1], 'held ' .. args[1], 1)
end

-- An answer that was refused, or whose end did not come: the RPC stays
-- outstanding.  keys as for the step; args: id, token, why
local function broke(keys, args, auth)
    local c = context(keys, args[1])
    c.auth = auth and several.proof_of(auth)
    local user = opened_by(c, args[2])
    if user and not several.refusal(c, user)
       and call('EXISTS', c.k[RUNNING]) == 1
    then
        several.spend(c)
        call('HSET', c.k[RUNNING], 'broke', (string.gsub(
             string.sub(args[3], 1, 200), '[^\32-\126]', '?')))
    end
    return { 'ok', c.notes }
end

local function cwmp_broke_1(keys, args)
    return broke(keys, args, nil)
end

-- the same; who it is as well, as the last argument
local function cwmp_broke_2(keys, args)
    return broke(keys, args, table.remove(args))
end

-- What proved the user of a POST that led nowhere is used up.  keys as for the
-- step, of the user's own device, never of the one that the POST claims, also when
-- it has never come: tasks may wait for it; args: its ID, who it is
local function cwmp_spend_1(keys, args)
    local c = context(keys, args[1])
    c.auth = several.proof_of(args[2])
    if not several.refusal(c) then
        several.spend(c)
    end
    return 'OK'
end


redis.register_function('cwmp_spend_1', cwmp_spend_1)
redis.register_function('cwmp_chunk_1', cwmp_chunk_1)
redis.register_function('cwmp_chunk_2', cwmp_chunk_2)
redis.register_function('cwmp_chunk_3', cwmp_chunk_3)
redis.register_function('cwmp_chunk_4', cwmp_chunk_4)
redis.register_function('cwmp_broke_1', cwmp_broke_1)
redis.register_function('cwmp_broke_2', cwmp_broke_2)
redis.register_function('cwmp_hold_1', cwmp_hold_1)

end
