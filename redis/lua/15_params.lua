-- What is known of a device's parameters: :params, in fields and in packs of an
-- object's.  It knows paths, letters and bytes; no session and no task.

--[[
  :params holds objects.  The field is an object's path, "Device.DeviceInfo.",
  the value a pack of what is right below it: "GENERATION\2NAMES\2VALUES", both
  lists with \1 in between, a value being its type's letter and itself.  The
  generation grows with each read; where not all are of the same one there is
  one for each, with commas.  A pack is small (PACK), since it is written as a
  whole: what has no room in it is a field of its own, path to "GENERATION
  TYPE-LETTER value" without blanks in between, as all were before version 7.  A
  parameter is in one of both, and comes into the pack when it is written next.

  Nothing is shared with other devices.  A dictionary of names would save
  another third, but be open to all who invent names, and in the way of a device
  that is moved or restored.

  The field "." is a JSON object of marks: path read completely (it ends with a
  dot, or is empty) to the generation of that read; what is older below it is
  gone from the device.
]]
local MARKS = '.'
local PACK = { leaves = 128, bytes = 256 }   -- how many; of each, with its name
local MARKS_MAX = 1000
local SWEEP = '^(%d+) (%-?%d+)$'     -- its state: cursor, generation
local MARK_BYTES = 256             -- of one: a path has as many at most
local TYPES = { s = 'string', b = 'boolean', i = 'int', l = 'long',
                u = 'unsignedInt', U = 'unsignedLong', d = 'decimal',
                t = 'dateTime', B = 'base64Binary', h = 'hexBinary',
                a = 'anySimpleType' }

local function due(c, kind, task, at, option)
    local member = kind .. ' ' .. c.id .. (task and ' ' .. task or '')
    if option then
        call('ZADD', c.k[DUE], option, at, member)
    else
        call('ZADD', c.k[DUE], at, member)
    end
end

local function not_due(c, kind, task)
    call('ZREM', c.k[DUE], kind .. ' ' .. c.id .. (task and ' ' .. task or ''))
end

-- Are there too many, with so many bytes more?  What was written is counted; once
-- that is too much, or unknown, Redis says how much it is, since much replaces
-- what was there.  When that is too much as well, it is until something was
-- swept.
local function too_many(c, bytes)
    local len = call('HLEN', c.k[PARAMS])
    c.none = len == 0
    if c.none then
        call('HDEL', c.k[DEVICE], 'packed')
    elseif len + (call('HGET', c.k[DEVICE], 'packed') or 0) > PARAMS_MAX then
        return true
    end
    local held = call('HINCRBY', c.k[DEVICE], 'bytes', bytes)
    local counted = held > bytes or len == 0
    if counted and held <= PARAMS_BYTES then
        return false
    end
    if call('HGET', c.k[DEVICE], 'full') then
        return true
    end
    local now = call('MEMORY', 'USAGE', c.k[PARAMS], 'SAMPLES', 0) or 0
    call('HSET', c.k[DEVICE], 'bytes', now + bytes)
    -- not to be asked again before much was written: it costs what there is
    if now <= PARAMS_BYTES - PARAMS_BYTES / 16 then
        return false
    end
    call('HSET', c.k[DEVICE], 'full', '1')
    return true
end

local load_marks, sweep, write_params, write_objects, stored, gone_by,
      mark_read, cwmp_params

do

-- The same, after what is gone has given way: a few slices of it at a time.
local function no_room(c, bytes)
    local full = too_many(c, bytes)
    for _ = 1, full and SWEEPS or 0 do
        if not next(load_marks(c.k[PARAMS])) then
            return true
        end
        sweep(c)
    end
    return full and too_many(c, bytes)
end

local NEXT, PART = '\1', '\2'

local function list_of(text)
    local list, n = {}, 0
    for item in string.gmatch(text .. NEXT, '([^\1]*)\1') do
        n = n + 1
        list[n] = item
    end
    return list
end

-- A number, or one for each name; names, values.  Nothing of what is damaged.
local function unpacked(raw)
    local g, n, v = string.match(raw or '',
                                 '^([%d,]+)\2([^\2]*)\2(%a[^\2]*)$')
    if not g then
        return nil
    end
    local names, values, generations = list_of(n), list_of(v), tonumber(g)
    if not generations then
        generations = {}
        for one in string.gmatch(g, '%d+') do
            generations[#generations + 1] = tonumber(one)
        end
    end
    if #names ~= #values
       or type(generations) == 'table' and #generations ~= #names
    then
        return nil
    end
    return generations, names, values
end

local function packed(generations, names, values)
    local same = true
    for i = 2, #names do
        same = same and generations[i] == generations[1]
    end
    return (same and generations[1] or table.concat(generations, ',')) .. PART
           .. table.concat(names, NEXT) .. PART .. table.concat(values, NEXT)
end

-- What is to be written: objects in their order, and fields.  Of an object:
-- names and values as its pack has them, how many (n), and those too long for
-- it.
local function rows_of(generation)
    return { generation = generation, number = tonumber(generation), of = {},
             order = {}, objects = {}, fields = {}, moved = {}, more = 0,
             bytes = 0 }
end

local function object_of(w, object)
    local o = w.of[object]
    if not o then
        o = { object = object, names = nil, values = nil, n = 0, long = nil }
        w.of[object] = o
        w.order[#w.order + 1] = o
        w.objects[#w.order] = object
    end
    return o
end

-- n parameters that follow each other, of one object
local function add_range(w, object, n, names, values)
    local o = object_of(w, object)
    if o.names then
        o.names, o.values = o.names .. NEXT .. names, o.values .. NEXT .. values
    else
        o.names, o.values = names, values
    end
    o.n = o.n + n
    w.bytes = w.bytes + #names + #values + n * (#object + PARAM_BYTES)
end

-- one that is in no pack
local function add_alone(w, path, value)
    local object, leaf = string.match(path, '^(.+%.)([^.]*)$')
    if leaf == '' or path == MARKS then
        return
    end
    w.fields[#w.fields + 1] = path
    w.fields[#w.fields + 1] = w.generation .. value
    w.bytes = w.bytes + #path + #value + PARAM_BYTES
    if object then
        local o = object_of(w, object)
        o.long = o.long or {}
        o.long[leaf] = true
    end
end

-- The rows by their object: name, letter and value, ...  A table for each of
-- them would cost more than all the rest: they are ranges of two lists.  (No
-- XML has what separates them in a pack.)
local function sorted_out(generation, rows, first)
    local w, leaves, values = rows_of(generation), {}, {}
    local most, find = PACK.bytes, string.find
    local object, size, from, n = nil, 0, 1, 0
    local function take()
        if from <= n then
            add_range(w, object, n - from + 1,
                      table.concat(leaves, NEXT, from, n),
                      table.concat(values, NEXT, from, n))
        end
        from = n + 1
    end
    for i = first, #rows - 1, 2 do
        local path, value = rows[i], rows[i + 1]
        if not object or find(path, object, 1, true) ~= 1
           or find(path, '.', size + 1, true)
        then
            take()
            object = string.match(path, '^.+%.')
            size = #(object or '')
        end
        if object and #path > size and #path + #value <= most + size then
            n = n + 1
            leaves[n], values[n] = string.sub(path, size + 1), value
        else
            add_alone(w, path, value)
        end
    end
    take()
    return w
end

-- The same, by object already: object, how many, names, values; or path, 0,
-- nothing, letter and value; ...
local function taken(generation, args, first)
    local w, total = rows_of(generation), 0
    for i = first, #args - 3, 4 do
        local n = tonumber(args[i + 1])
        if n > 0 then
            add_range(w, args[i], n, args[i + 2], args[i + 3])
        else
            add_alone(w, args[i], args[i + 3])
        end
        total = total + math.max(n, 1)
    end
    return w, total
end

-- what the pack has no longer is taken out of it
local function take_out(w, o, generations, names, values)
    for i = #names, 1, -1 do
        if o.long[names[i]] then
            table.remove(generations, i)
            table.remove(names, i)
            table.remove(values, i)
            w.more = w.more - 1
        end
    end
end

-- The pack of an object after these are written; nil when none is needed.
local function merge(w, o, raw)
    local generations, names, values = unpacked(raw)
    if not names then                       -- there is none, or it is damaged
        generations, names, values = {}, {}, {}
    end
    local each, at = type(generations) == 'table' and generations or {}, {}
    for i, name in ipairs(names) do
        at[name], each[i] = i, each[i] or generations
    end
    local news = o.names and list_of(o.values) or {}
    for i, leaf in ipairs(o.names and list_of(o.names) or {}) do
        local n = at[leaf]
        if not n and #names < PACK.leaves then
            n = #names + 1
            names[n], at[leaf] = leaf, n
            w.more = w.more + 1
            w.moved[#w.moved + 1] = o.object .. leaf
        end
        if n then
            values[n], each[n] = news[i], w.number
        else
            w.fields[#w.fields + 1] = o.object .. leaf
            w.fields[#w.fields + 1] = w.generation .. news[i]
        end
    end
    if o.long then
        take_out(w, o, each, names, values)
    end
    return names[1] and packed(each, names, values)
end

-- Is a pack of these names in this order, of one read?  Most are, when a device
-- is read again: then it is replaced unseen.
local function is_of(raw, names)
    local at = string.find(raw, '%D')
    return at and string.byte(raw, at) == 2
           and string.find(raw, names, at + 1, true) == at + 1
           and string.byte(raw, at + 1 + #names) == 2
end

-- told twice, once short and once long?
local function has_long(o)
    local all = NEXT .. o.names .. NEXT
    for leaf in pairs(o.long) do
        if string.find(all, NEXT .. leaf .. NEXT, 1, true) then
            return true
        end
    end
    return false
end

-- the pack as these make it; most are the first of an object, or all of it
local function renewed(w, o, raw)
    if not o.names or o.n > PACK.leaves or raw and not is_of(raw, o.names)
       or o.long and has_long(o)
    then
        return merge(w, o, raw)
    end
    if not raw then
        w.more = w.more + o.n
        for _, leaf in ipairs(not w.none and list_of(o.names) or {}) do
            w.moved[#w.moved + 1] = o.object .. leaf
        end
    end
    return w.generation .. PART .. o.names .. PART .. o.values
end

-- these fields of a hash, however many
local function fields_of(key, names)
    local got = {}
    for i = 1, #names, SLICE do
        local last = math.min(i + SLICE - 1, #names)
        for j, value in ipairs(call('HMGET', key, unpack(names, i, last))) do
            got[i + j - 1] = value
        end
    end
    return got
end

local function change(command, key, list)
    for i = 1, #list, SLICE do
        call(command, key, unpack(list, i, math.min(i + SLICE - 1, #list)))
    end
end

local function write_packs(c, w)
    local fields, gone = w.fields, {}
    local old = c.none and {} or fields_of(c.k[PARAMS], w.objects)
    w.none = c.none
    for i, o in ipairs(w.order) do
        local raw = old[i]
        local new = renewed(w, o, raw)
        if new and new ~= raw then
            fields[#fields + 1] = o.object
            fields[#fields + 1] = new
        elseif raw and not new then
            gone[#gone + 1] = o.object
        end
    end
    if not c.none then
        change('HDEL', c.k[PARAMS], w.moved)
    end
    change('HDEL', c.k[PARAMS], gone)
    change('HSET', c.k[PARAMS], fields)
    if w.more ~= 0 then
        call('HINCRBY', c.k[DEVICE], 'packed', w.more)
    end
    c.none = false
end

-- n parameters; how many of them are stored
local function store(c, w, n, run)
    if no_room(c, w.bytes) then
        note(c, 'more than ' .. PARAMS_MAX .. ' parameters, or '
                .. PARAMS_BYTES .. ' bytes of them: not stored')
        if run then
            run.full = '1'
            call('HSET', c.k[RUNNING], 'full', '1')
        end
        due(c, 'g', nil, c.now, 'NX')
        return 0
    end
    write_packs(c, w)
    return n
end

function write_params(c, generation, rows, first, run)
    local n = #rows - first + 1
    if n <= 0 or run and run.full == '1' then
        return 0
    end
    return store(c, sorted_out(generation, rows, first), n / 2, run)
end

function write_objects(c, generation, args, first, run)
    if run.full == '1' then
        return 0
    end
    local w, n = taken(generation, args, first)
    return store(c, w, n, run)
end

-- Generations, and type letters with values, of these paths: false for what is
-- not stored.
function stored(key, paths)
    local ask, place, objects = {}, {}, {}
    for i, path in ipairs(paths) do
        local object = string.match(path, '^(.+%.)[^.]*$')
        ask[i], objects[i] = path, object or false
    end
    for _, object in ipairs(objects) do
        if object and not place[object] then
            ask[#ask + 1] = object
            place[object] = #ask
        end
    end
    local got = fields_of(key, ask)
    local known, generations, values = {}, {}, {}
    for object, i in pairs(place) do
        local each, names, of = unpacked(got[i])
        for j, name in ipairs(names or {}) do
            known[object .. name] = { type(each) == 'table' and each[j] or each,
                                      of[j] }
        end
    end
    for i, path in ipairs(paths) do
        local k = known[path]
        if k then
            generations[i], values[i] = k[1], k[2]
        elseif got[i] then
            generations[i], values[i] = string.match(got[i], '^(%d+)(%a.*)$')
            generations[i] = tonumber(generations[i])
        end
        generations[i] = generations[i] or false
        values[i] = values[i] or false
    end
    return generations, values
end

function load_marks(key)
    local raw = call('HGET', key, MARKS)
    return raw and decode(raw) or {}
end

-- A function that tells the generation below which a path is gone.  A path has
-- as many beginnings as dots: only those as long as some mark are looked at.
function gone_by(marks)
    local lengths, seen = {}, {}
    for path in pairs(marks) do
        if path ~= '' and not seen[#path] then
            seen[#path] = true
            lengths[#lengths + 1] = #path
        end
    end
    local all = marks[''] or 0
    return function(path)
        local low = all
        for _, n in ipairs(lengths) do
            if string.byte(path, n) == 46 then          -- a dot
                local m = marks[string.sub(path, 1, n)]
                if m and m > low then
                    low = m
                end
            end
        end
        return low
    end
end

-- these paths were read completely, or deleted: older values below are gone
function mark_read(c, generation, paths)
    local marks, n = nil, 0
    for _, path in ipairs(paths) do
        if path == '' or string.sub(path, -1) == '.' and #path <= MARK_BYTES
        then
            marks = marks or load_marks(c.k[PARAMS])
            marks[path] = tonumber(generation)
        end
    end
    if not marks then
        return
    end
    local gone_before = gone_by(marks)
    for path, g in pairs(marks) do
        -- nothing to say that a mark above it does not, or more than is kept:
        -- what is gone below it then stays until it is read by another path
        local above = string.match(path, '^(.-)[^.]*%.$')
        if n >= MARKS_MAX or above and gone_before(above) >= g then
            marks[path] = nil
        else
            n = n + 1
        end
    end
    call('HSET', c.k[PARAMS], MARKS, cjson.encode(marks))
    -- a sweep that is under way has passed over what this one makes untrue
    local at, upto = string.match(call('HGET', c.k[DEVICE], 'sweep') or '',
                                  SWEEP)
    if at and tonumber(upto) >= tonumber(generation) then
        call('HSET', c.k[DEVICE], 'sweep', at .. ' ' .. generation - 1)
    end
    local reads = call('HINCRBY', c.k[DEVICE], 'reads', 1)
    if n >= MARKS_MAX or reads % SWEEP_AFTER == 0
       or call('HLEN', c.k[PARAMS]) > SWEEP_ABOVE
    then
        due(c, 'g', nil, c.now, 'NX')
    end
end

local function split_value(raw)
    local generation, value = string.match(raw, '^(%d+)(%a.*)$')
    return tonumber(generation), value
end

local function is_object(field)
    return field ~= MARKS and string.byte(field, -1) == 46      -- a dot
end

-- What there is of a field, by paths: is called for each that is not gone.
local function each_of(field, raw, gone_before, seen)
    if not is_object(field) then
        local generation, value = split_value(raw)
        if generation and generation >= gone_before(field) then
            seen(field, value)
        end
        return
    end
    local generations, names, values = unpacked(raw)
    local low, one = gone_before(field), type(generations) == 'number'
    if not names or one and generations < low then
        return                              -- damaged, or gone
    end
    for i, name in ipairs(names) do
        if one or generations[i] >= low then
            seen(field .. name, values[i])
        end
    end
end

function cwmp_params(keys, args)
    local raw, marks = call('HGETALL', keys[1]), load_marks(keys[1])
    local prefix, paths, values = args[1] or '', {}, {}
    local gone_before, n = gone_by(marks), #prefix
    local function seen(path, value)
        if string.sub(path, 1, n) == prefix then
            if not values[path] then
                paths[#paths + 1] = path
            end
            values[path] = value
        end
    end
    for i = 1, #raw, 2 do
        local field = raw[i]
        local m = math.min(n, #field)
        if field ~= MARKS and string.sub(field, 1, m) == string.sub(prefix, 1, m)
        then
            each_of(field, raw[i + 1], gone_before, seen)
        end
    end
    table.sort(paths)
    local out = {}
    for i, path in ipairs(paths) do
        local value = values[path]
        out[3 * i - 2] = path
        out[3 * i - 1] = 'xsd:' .. (TYPES[string.sub(value, 1, 1)] or 'string')
        out[3 * i] = string.sub(value, 2)
    end
    return out
end

-- what is left of a pack, and how many are gone
local function swept(raw, low)
    local generations, names, values = unpacked(raw)
    if not names then
        return nil, 0
    elseif type(generations) == 'number' then
        return generations >= low and raw, generations < low and #names or 0
    end
    local g, n, v = {}, {}, {}
    for i, generation in ipairs(generations) do
        if generation >= low then
            g[#g + 1], n[#n + 1], v[#v + 1] = generation, names[i], values[i]
        end
    end
    if #n == #names then
        return raw, 0
    end
    return n[1] and packed(g, n, v), #names - #n
end

-- Takes away what is gone of a field: how many bytes, and how many of a pack.
local function sweep_field(c, field, raw, low)
    if not is_object(field) then
        local generation = split_value(raw)
        if not generation or generation >= low then
            return 0, 0
        end
        call('HDEL', c.k[PARAMS], field)
        return #field + #raw + PARAM_BYTES, 0
    end
    local left, gone = swept(raw, low)
    if left == raw then
        return 0, 0
    elseif left then
        call('HSET', c.k[PARAMS], field, left)
    else
        call('HDEL', c.k[PARAMS], field)
    end
    return #raw - #(left or '') + gone * (#field + PARAM_BYTES), gone
end

-- Removes what no reader sees any more, a slice a call; after the last slice
-- the marks that were there at the first: those up to that generation.
function sweep(c)
    local marks = load_marks(c.k[PARAMS])
    local state = hash_fields(c.k[DEVICE], { 'sweep', 'gen', 'bytes' })
    local cursor, upto = string.match(state.sweep or '', SWEEP)
    upto = tonumber(upto or state.gen or 0)
    -- as many as are small, or fewer
    local each = math.max((tonumber(state.bytes) or 0)
                          / (call('HLEN', c.k[PARAMS]) + 1), 1)
    local most = math.floor(math.min(SLICE, SWEEP_BYTES / each)) + 10
    local got = call('HSCAN', c.k[PARAMS], cursor or '0', 'COUNT', most)
    local gone_before = gone_by(marks)
    local bytes, gone = 0, 0
    for i = 1, #got[2], 2 do
        local field = got[2][i]
        if field ~= MARKS then
            local b, n = sweep_field(c, field, got[2][i + 1],
                                     gone_before(field))
            bytes, gone = bytes + b, gone + n
        end
    end
    if gone > 0 then
        call('HINCRBY', c.k[DEVICE], 'packed', -gone)
    end
    if bytes > 0 then
        call('HINCRBY', c.k[DEVICE], 'bytes', -bytes)
        call('HDEL', c.k[DEVICE], 'full')
    end
    if got[1] ~= '0' then
        call('HSET', c.k[DEVICE], 'sweep', got[1] .. ' ' .. upto)
        due(c, 'g', nil, c.now)
        return
    end
    for path, generation in pairs(marks) do
        if generation <= upto then
            marks[path] = nil
        end
    end
    if next(marks) then
        call('HSET', c.k[PARAMS], MARKS, cjson.encode(marks))
    else
        call('HDEL', c.k[PARAMS], MARKS)
    end
    call('HDEL', c.k[DEVICE], 'sweep')
end

end
