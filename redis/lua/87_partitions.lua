-- Devices move to another number of partitions, some of them a call.

function house.load()

local MOVED = 50                    -- devices

local device_at, each_due, remove_shared, work_on, mend_one
    = house.device_at, house.each_due, house.remove_shared, house.work_on,
      house.mend_one

local function crc16(text)          -- CRC-16/XMODEM
    local crc = 0
    for i = 1, #text do
        crc = bit.bxor(crc, bit.lshift(string.byte(text, i), 8))
        for _ = 1, 8 do
            crc = bit.lshift(crc, 1)
            if crc >= 65536 then
                crc = bit.band(bit.bxor(crc, 0x1021), 65535)
            end
        end
    end
    return crc
end

-- All is looked at before anything is written.
local function rename_device(from, to, id)
    local c = device_at(from, id)
    local there = {}
    for i = 1, #SUFFIX + 1 do
        local suffix = SUFFIX[i] or ':moving'
        if call('EXISTS', from .. id .. suffix) == 1 then
            if call('EXISTS', to .. id .. suffix) == 1 then
                error({ err = 'ERR ' .. to .. id .. suffix .. ' is there, '
                              .. 'too: look at both, and delete one' })
            end
            there[#there + 1] = suffix
        end
    end
    each_due(c, function(member)
        local at = call('ZSCORE', c.k[DUE], member)
        if at then
            call('ZADD', to .. 'due', at, member)
        end
    end)
    remove_shared(c)
    for _, suffix in ipairs(there) do
        call('RENAME', from .. id .. suffix, to .. id .. suffix)
    end
    mend_one(to, id, work_on(to), '-')
    return 1
end

local function check_offline(prefix, partitions)
    for p = 0, partitions - 1 do
        if call('EXISTS', prefix .. ':{' .. p .. '}:due:lock') == 1 then
            return redis.error_reply('ERR a node is at work: stop nginx on all '
                   .. 'nodes, and wait for 5 seconds')
        end
    end
end

-- rows of quirks and settings are the same in all partitions
local function copy_rows(prefix, from, to)
    for _, name in ipairs({ 'quirks', 'settings' }) do
        local key = prefix .. ':{0}:' .. name
        if call('EXISTS', key) == 1 then
            for p = 1, to - 1 do
                call('COPY', key, prefix .. ':{' .. p .. '}:' .. name)
            end
        end
        for p = to, from - 1 do
            call('UNLINK', prefix .. ':{' .. p .. '}:' .. name)
        end
    end
    for p = to, from - 1 do
        call('UNLINK', prefix .. ':{' .. p .. '}:unknown',
             prefix .. ':{' .. p .. '}:refusals')
    end
end

-- FCALL cwmp_repartition 1 cwmp:meta FROM TO CURSOR: where to go on, and how
-- many devices were moved; of a Redis that is no Cluster
local function cwmp_repartition(keys, args)
    local prefix = string.match(keys[1], '^(.*):meta$')
    local from, to = tonumber(args[1]), tonumber(args[2])
    local cursor, moved = args[3] or '0', 0
    if not prefix or not whole(from, 1, 1024) or not whole(to, 1, 1024)
       or not string.find(args[1] .. ' ' .. args[2], '^[1-9]%d* [1-9]%d*$')
    then
        return redis.error_reply('ERR cwmp:meta FROM TO: from 1 to 1024')
    end
    local way = args[1] .. '>' .. args[2]
    local now = call('HGET', keys[1], 'partitions') or args[1]
    if now ~= args[1] and now ~= way then
        return redis.error_reply('ERR ' .. keys[1] .. ' says ' .. now
                                 .. ' partitions')
    end
    local busy = check_offline(prefix, math.max(from, to))
    if busy then
        return busy
    end
    if now ~= way then
        call('HSET', keys[1], 'partitions', way)
        copy_rows(prefix, from, to)
    end
    local got = call('SCAN', cursor, 'MATCH', prefix .. ':{*}:*-*', 'COUNT',
                     MOVED)
    for _, key in ipairs(got[2]) do
        local p, id = string.match(key, '^.-:{(%d+)}:([^:]+%-[^:]+):?%a*$')
        local target = id and crc16(id) % to
        if id and tonumber(p) ~= target and call('EXISTS', key) == 1 then
            moved = moved + rename_device(prefix .. ':{' .. p .. '}:',
                                          prefix .. ':{' .. target .. '}:', id)
        end
    end
    if got[1] == '0' then
        call('HSET', keys[1], 'partitions', args[2])
    end
    return { got[1], moved }
end

redis.register_function('cwmp_repartition', cwmp_repartition)

end

house.load()
