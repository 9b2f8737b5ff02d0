-- What is registered last: the steps, what nodes ask when they connect, and what a
-- read-only look at parameters needs.

-- keys: cwmp:meta; args: the number of partitions that the caller works with
local function cwmp_meta_1(keys, args)
    call('HSETNX', keys[1], 'partitions', args[1])
    local n = call('HGET', keys[1], 'partitions')
    if string.find(n, '>', 1, true) then
        return redis.error_reply('ERR the devices are being moved between '
               .. 'partitions (' .. n .. '): run cwmp-partitions to its end')
    elseif n ~= args[1] then
        return redis.error_reply('ERR ' .. keys[1] .. ' says ' .. n
               .. ' partitions: set partitions=' .. n .. ' in cwmp_redis')
    end
    return 'OK'
end

-- Would Redis take a step now?  Not as a replica, nor without the replicas, the
-- disk or the memory that it wants for a write: that is known of a function that
-- may write, before it begins.
local function cwmp_ready_1()
    return 'OK'
end

local function cwmp_version()
    return VERSION
end


-- at load time Lua has no pairs() and no redis.call
redis.register_function('cwmp_step_1', function(keys, args)
    return cwmp_step(keys, args, false)
end)
redis.register_function('cwmp_step_2', function(keys, args)
    return cwmp_step(keys, args, true)
end)
-- the same; as the last two arguments: what becomes of an Inform of a device that
-- is unknown, and who it is; each of them may be empty
redis.register_function('cwmp_step_3', function(keys, args)
    local auth, rule = table.remove(args), table.remove(args)
    return cwmp_step(keys, args, true, auth ~= '' and auth,
                     rule ~= '' and rule)
end)
redis.register_function{ function_name = 'cwmp_meta_1', callback = cwmp_meta_1,
                         flags = { 'allow-oom' } }
redis.register_function('cwmp_ready_1', cwmp_ready_1)
redis.register_function{ function_name = 'cwmp_params',
                         callback = cwmp_params, flags = { 'no-writes' } }
redis.register_function{ function_name = 'cwmp_version',
                         callback = cwmp_version, flags = { 'no-writes' } }
