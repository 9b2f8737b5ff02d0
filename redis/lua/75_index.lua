-- A device among the others of its partition: where it stands in each index, and
-- how it is taken from all of them.  A new index: its entries in entries_of(), its
-- name in PHASES of mend, a row in DECIDES.
--
-- This and the parts that follow are a function each: that has 200 names of its
-- own, and may use 60 from outside.

function house.load()

local RECORD = { 'first', 'seen', 'oui', 'class', 'version', 'tags', 'free',
                 'state', 'since', 'last' }

local function base_of(key)         -- "cwmp:{0}:"
    return string.match(key, '^(.-:{%d+}:)')
end

-- f(base, args), as it is registered: of a partition, by one of its keys
local function of_partition(f)
    return house.whole(function(keys, args)
        local base = base_of(keys[1])
        if not base then
            return redis.error_reply('ERR ' .. keys[1] .. ' is no key of a '
                                     .. 'partition, such as cwmp:{0}:due')
        end
        return f(base, args)
    end)
end

local function shared_key(c, name)
    return base_of(c.k[DEVICE]) .. name
end

local function device_at(base, id)
    return context(keys_of(base .. id, id), id)
end

-- as it stands in an index: one line, without tabs
local function plain(text)
    return (string.gsub(text, '%c', '?'))
end

local each_tag = several.each_tag

-- name of the index, member, score
local function entries_of(id, d)
    if not tonumber(d.first) then
        return several.states[d.state] and tonumber(d.last or d.since)
               and { { 'index:' .. d.state, id, d.last or d.since } } or {}
    end
    local list = { { 'index:first', id, d.first },
                   { 'index:seen', id, d.seen or d.first } }
    if d.oui then
        list[#list + 1] = { 'index:model', plain(d.oui .. ' ' .. (d.class or ''))
                                           .. '\t' .. id, 0 }
    end
    if d.version then
        list[#list + 1] = { 'index:version', plain(d.version) .. '\t' .. id, 0 }
    end
    each_tag(d.tags, function(tag)
        list[#list + 1] = { 'index:tag', tag .. '\t' .. id, 0 }
    end)
    return list
end

-- all deadlines that it may have
local function each_due(c, take)
    take('s ' .. c.id)
    take('g ' .. c.id)
    for _, id in ipairs(call('HKEYS', c.k[WAITING])) do
        take('w ' .. c.id .. ' ' .. id)
    end
    for _, id in ipairs(call('HKEYS', c.k[LIVE])) do
        if string.byte(id) ~= 61 then               -- "=": not a task
            take('x ' .. c.id .. ' ' .. id)
        end
    end
end

-- all that stands of a device beside its own keys
local function remove_shared(c)
    local d = hash_fields(c.k[DEVICE], RECORD)
    d.first = d.first or not d.state and '0' or nil
    for _, e in ipairs(entries_of(c.id, d)) do
        call('ZREM', shared_key(c, e[1]), e[2])
    end
    each_due(c, function(member) call('ZREM', c.k[DUE], member) end)
end

local function remove(c, reason)
    local tasks = call('ZCARD', c.k[QUEUE]) + call('HLEN', c.k[WAITING])
                  + call('EXISTS', c.k[RUNNING]) + call('LLEN', c.k[TASKS])
    remove_shared(c)
    for i = 1, #SUFFIX do
        call('UNLINK', c.k[i])
    end
    call('UNLINK', c.k[DEVICE] .. ':moving')
    event(c, 'deleted', 'reason', reason, 'tasks', tasks)
end

house.RECORD = RECORD
house.base_of = base_of
house.of_partition = of_partition
house.shared_key = shared_key
house.device_at = device_at
house.plain = plain
house.entries_of = entries_of
house.each_due = each_due
house.remove_shared = remove_shared
house.remove = remove

end

house.load()
