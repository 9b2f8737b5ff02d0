-- Tasks of several messages: reads and writes in parts, and what a device or its
-- model refuses at once.  It cuts and joins; it sends nothing and ends no task.

--[[
  A list above 32 KB is set, or read, in parts, each an RPC of its own: C says
  where to cut it (verdict "split").  A read that fails is asked for again with
  less: half of the names, then a single path by the next level below it, until
  those names are alone that the device refuses.  What has been done stays done
  when the session ends: the progress is in live.

    left    what is still to do, the first of it now: { FROM, TO } of the
            task's list, { n = { NAME, ... } }, or { l = PATH, c = CODE }: its
            next level is listed, since CODE refused to read it
    reads   parts of a read that comes before (types, verify, confirm)
    size, applied, status, verified     of a set
    rpcs, most, gen, bad, fault, count, cut, unread     of a read: RPCs so far
            and allowed, generation of the first, { NAME, CODE } that failed,
            the fault, rows so far, whether they are more than are kept,
            whether something was left out

  What a device cannot do is kept with it (learned, JSON), and in LEARNED for the
  others of its model, which heed it when two devices have found it, by
  software version: "level VERSION PATH" (PATH is read by level), "names
  VERSION" and "paths VERSION" -> how many names, or names of which one is a
  partial path, a read may have.  Fields are separated by a tab.
]]

-- phases that only read, and what is sent in those that are not the task's own
several.early = { types = true, verify = true, confirm = true }
several.rpc = { types = 'GetParameterValues', verify = 'GetParameterValues',
                confirm = 'GetParameterValues', names = 'GetParameterValues',
                level = 'GetParameterNames', set = 'SetParameterValues',
                compare = 'SetParameterValues', check = 'SetParameterValues',
                confirmed = 'SetParameterValues' }
-- faults of a read that less of it may not have; what devices say for 9005
several.too_much = { ['9002'] = true, ['9003'] = true, ['9004'] = true,
                     ['9005'] = true }

function several.work_of(c, run)
    if run.parts ~= '1' then
        return nil
    end
    run.work = run.work or several.load_work(c, run.id, run.method)
    return run.work
end

function several.save_work(c, run)
    if run.work.left or run.work.reads then
        run.parts = '1'
        call('HSET', c.k[LIVE], '=l ' .. run.id, cjson.encode(run.work))
    else
        run.parts, run.work = '', nil
        call('HDEL', c.k[LIVE], '=l ' .. run.id)
    end
end

function several.is_partial(name)
    return name == '' or string.sub(name, -1) == '.'
end

function several.slice(list, from, to)
    local out = {}
    for i = from + 1, to do
        out[#out + 1] = list[i]
    end
    return out
end

-- items FROM to TO of a part
function several.part_of(part, from, to)
    if part.n then
        return { n = several.slice(part.n, from, to) }
    end
    return { part[1] + from, part[1] + to }
end

-- all parts between these places
function several.parts_at(part, at)
    local parts = {}
    for i = 2, #at do
        parts[#parts + 1] = several.part_of(part, at[i - 1], at[i])
    end
    return parts
end

-- its progress cannot be read: the task ends here
function several.damaged(c, run)
    if run.parts ~= '1' or several.work_of(c, run) then
        return false
    end
    finish(c, run.id, 'lost', { sent = tonumber(run.sent), fault = reason_json(
           'its progress in live was damaged') })
    call('DEL', c.k[RUNNING])
    not_due(c, 's')
    return true
end

-- The task of the RPC outstanding, and its JSON; nil when it ends here, since it
-- is damaged or gone.
function several.outstanding(c, run)
    if several.damaged(c, run) then
        return nil
    end
    local task, json = load_task(c, run.id)
    if not task then
        call('DEL', c.k[RUNNING])
        not_due(c, 's')
        several.vanished(c, run.id)
    end
    return task, json
end

function several.put_first(list, parts)
    local n = #parts
    for i = #list, 1, -1 do
        list[i + n] = list[i]
    end
    for i = 1, n do
        list[i] = parts[i]
    end
end

-- the names that a read's part asks for
function several.names_of(part, task)
    if part.l then
        return { part.l }
    end
    return part.n or several.slice(task.ParameterNames, part[1], part[2])
end

-- what a task reads; nil when C will refuse it
function several.names_to_read(task)
    local names = task.ParameterNames
    if type(names) ~= 'table' or #names == 0 then
        return nil
    end
    for _, name in ipairs(names) do
        if type(name) ~= 'string' then
            return nil
        end
    end
    return names
end

function several.has_partial(names)
    for _, name in ipairs(names) do
        if several.is_partial(name) then
            return true
        end
    end
    return false
end

-- one path for all instances
function several.general(path)
    return (string.gsub(path, '%.%d+%f[.]', '.{i}'))
end

function several.software(c)
    return (string.gsub(call('HGET', c.k[DEVICE], 'version') or '', '%c', '?'))
end

-- what the device itself has refused, as long as it has this software
function several.learned_of(c, version)
    local own = decode(call('HGET', c.k[DEVICE], 'learned') or '{}') or {}
    if own.version ~= version or not tonumber(own['until'])
       or tonumber(own['until']) * 1000 < c.now or type(own.level) ~= 'table'
    then
        return { version = version, level = {} }
    end
    return own
end

-- what this device can read at once: its quirks, and what it or two devices of
-- its model have shown
function several.limits_of(c, s)
    if c.limits then
        return c.limits
    end
    local l = { most = quirk(s, 'namesAtMost') or BOUND.none, level = {},
                names = BOUND.none, paths = BOUND.none,
                partial = quirk(s, 'partialPaths') ~= false }
    local raw = c.k[LEARNED] and redis.pcall('HGETALL', c.k[LEARNED]) or {}
    if raw.err then
        note(c, c.k[LEARNED] .. ' is not a hash: delete it')
        raw = {}
    end
    local version = several.software(c)
    local own = several.learned_of(c, version)
    for i = 1, #raw, 2 do
        local kind, of, path = string.match(raw[i], '^(%a+)\t([^\t]*)\t?(.*)$')
        local found = tonumber(string.match(raw[i + 1], '^%d+'))
        if of ~= version or not found then
            -- another software, or one device has found it
        elseif kind == 'level' then
            l.level[path] = true
        elseif l[kind] then
            l[kind] = found
        end
    end
    for _, path in ipairs(own.level) do
        l.level[path] = true
    end
    l.names = math.min(l.names, tonumber(own.names) or BOUND.none)
    l.paths = math.min(l.paths, tonumber(own.paths) or BOUND.none)
    c.limits = l
    return l
end

-- Room for one more that only this device has found?  Of such a few are kept, and
-- when there are too many things one that another device alone has found goes.
function several.make_room(c, key)
    local all, mine, theirs = call('HGETALL', key), 0, nil
    for i = 2, #all, 2 do
        local id = string.match(all[i], '^%- %d+ (%S+)$')
        if id == c.id then
            mine = mine + 1
        elseif id then
            theirs = all[i - 1]
        end
    end
    if mine < BOUND.alone and #all >= 2 * BOUND.learned and theirs then
        return call('HDEL', key, theirs) == 1
    end
    return mine < BOUND.alone and #all < 2 * BOUND.learned
end

-- What the model has: "FOUND", or "FOUND LESS ID" while only this device has
-- found the less, FOUND being - for nothing.  Two devices have found what the
-- milder one of both says.
function several.learn_model(c, field, value)
    local key = c.k[LEARNED]
    local was = redis.pcall('HGET', key, field)
    if type(was) == 'table' or #field > 2048 then
        return
    end
    if not was and not several.make_room(c, key) then
        return
    end
    local found, less, id = string.match(was or '- - -', '^(%S+) ?(%S*) ?(%S*)$')
    local known, other = tonumber(found), tonumber(less)
    local both = other and id ~= c.id and math.max(other, value)
    if both and not (known and known <= both) then
        known = both
        note(c, 'model learned: ' .. shown(field, 256) .. ' ' .. both)
    end
    if known and string.find(field, '^level') then
        value = known                       -- there is no stricter one
    elseif other and other < value then     -- the stricter one stays open
        value, id = other, id
    else
        id = c.id
    end
    local is = known and string.format('%.0f', known) or '-'
    if not (known and known <= value) then
        is = is .. ' ' .. string.format('%.0f', value) .. ' ' .. id
    end
    call('HSET', key, field, is)
    call('EXPIRE', key, BOUND.lasts)
end

-- The device that refused it is treated so from now on; its model when another
-- device of it has refused the same.
function several.learn(c, kind, value, path)
    local version = several.software(c)
    local own = several.learned_of(c, version)
    own['until'] = math.floor(c.now / 1000) + BOUND.lasts
    if not path then
        own[kind] = value
    elseif #own.level < BOUND.own and #path <= 1024 then
        own.level[#own.level + 1] = path
    end
    call('HSET', c.k[DEVICE], 'learned', cjson.encode(own))
    several.learn_model(c, kind .. '\t' .. version
                           .. (path and '\t' .. path or ''), value)
    c.limits = nil
end

-- so many names were too many: the next read has half of them at most
function several.learn_count(c, names)
    local half = math.floor(#names / 2)
    if half >= BOUND.least then
        several.learn(c, several.has_partial(names) and 'paths' or 'names',
                      half)
    end
end

-- a part as the device's limits cut it
function several.plan(l, names, whole)
    local parts, from, partial = {}, 0, false
    local function cut(to)
        if to > from then
            parts[#parts + 1] = several.part_of(whole, from, to)
        end
        from, partial = to, false
    end
    for i, name in ipairs(names) do
        local path = several.is_partial(name)
        if path and (not l.partial or l.level[several.general(name)]) then
            cut(i - 1)
            parts[#parts + 1] = { l = name }
            from = i
        else
            if i - from > math.min(l.most, (partial or path) and l.paths
                                           or l.names)
            then
                cut(i - 1)
            end
            partial = partial or path
        end
    end
    cut(#names)
    return parts
end

function several.new_read(run, parts, gen)
    run.work = { left = parts, rpcs = 0, bad = {}, gen = tonumber(gen),
                 most = math.min(BOUND.spare + 2 * #parts, BOUND.reads) }
end

-- what a read begins with when it cannot be sent as it is
function several.plan_read(c, s, run, task)
    local names = c.k[LEARNED] and several.names_to_read(task)
    if not names or #names == 1 and not several.is_partial(names[1]) then
        return
    end
    local parts = several.plan(several.limits_of(c, s), names, { 0, #names })
    if #parts > 1 or parts[1].l then
        local gen = call('HGET', c.k[DEVICE], 'gen') or 0
        several.new_read(run, parts, gen + 1)
        several.save_work(c, run)
    end
end

-- A part of what is set was applied: its Status, or how that is known.  The
-- whole's response when it was the last.
function several.part_applied(c, run, status, how)
    local w = run.work
    w.applied = table.remove(w.left, 1)[2]
    w.status = math.max(w.status or 0, tonumber(status) or 0)
    w.verified = w.verified or how
    if #w.left == 0 then
        return '{"Status":' .. w.status .. (w.verified and ',"verified":"'
               .. w.verified .. '"' or '') .. '}'
    end
    several.save_work(c, run)
    call('HSET', c.k[LIVE], '=a ' .. run.id, 0)
    call('HDEL', c.k[LIVE], '=v ' .. run.id)
end

-- the first phase of what is left of a read
function several.read_phase(run)
    return run.work.left[1].l and 'level' or 'names'
end

function several.blame(w, name, code, text)
    w.bad[#w.bad + 1] = { string.sub(name, 1, 1024), code }
    w.fault = w.fault or text
end

-- The first part was too much, or something in it is wrong: less of it.  code
-- is the fault's, or why else it is asked for again.
function several.ask_less(c, run, task, code, text)
    local w = run.work
    local head = table.remove(w.left, 1)
    local names = several.names_of(head, task)
    local root = head.l == '' and call('HGET', c.k[DEVICE], 'root') or ''
    if root ~= '' then
        several.put_first(w.left, { { n = { root .. '.' } } })
    elseif head.l then
        local cause = several.too_much[head.c] and head.c or code
        several.blame(w, head.l, cause, text)
    elseif #names > 1 then
        local half = math.floor(#names / 2)
        several.put_first(w.left, several.parts_at(head, { 0, half, #names }))
        if code == '9004' then
            several.learn_count(c, names)
        end
    elseif several.is_partial(names[1]) then
        several.put_first(w.left, { { l = names[1], c = code } })
    else
        several.blame(w, names[1], code, text)
    end
end

-- what is right below a path: parameters, objects; or nil and why not
function several.children(path, json)
    local got = decode(json) or {}
    local names, objects, seen, others = {}, {}, {}, false
    if type(got.ParameterList) ~= 'table' or got.truncated then
        return nil, 'has more below it than is taken at once'
    end
    for _, row in ipairs(got.ParameterList) do
        local name = type(row) == 'table' and tostring(row.Name) or ''
        local child = string.match(string.sub(name, #path + 1), '^[^.]*%.?')
        if string.sub(name, 1, #path) ~= path then
            others = true
        elseif characters(path .. child) > 256 then
            return nil, 'has a name of more than 256 characters below it'
        elseif child ~= '' and not seen[child] then
            seen[child] = true
            local list = several.is_partial(child) and objects or names
            list[#list + 1] = path .. child
        end
    end
    if others and next(seen) == nil then
        return nil, 'is answered with what is not below it'
    end
    return names, objects
end

-- reads of what a path has: its parameters together, its objects in groups
function several.level_parts(l, names, objects)
    local parts = several.plan(l, names, { n = names })
    local size = math.max(1, math.ceil(#objects / BOUND.groups))
    for i = 0, #objects - 1, size do
        local group = several.slice(objects, i, math.min(i + size, #objects))
        for _, part in ipairs(several.plan(l, group, { n = group })) do
            parts[#parts + 1] = part
        end
    end
    return parts
end

-- rows of a GetParameterValuesResponse's JSON, how many, are they all of them?
function several.rows_of(json)
    local rows, count = string.match(json,
              '^{"ParameterList":%[(.*)%],"count":(%d+),"truncated":true}$')
    if rows then
        return rows, tonumber(count), false
    end
    rows = string.match(json, '^{"ParameterList":%[(.*)%]}$') or ''
    return rows, select(2, string.gsub(rows, '{"Name":"', '')), true
end

-- a part's rows join those before, as long as there is room
function several.keep_rows(c, run, json)
    local w = run.work
    local rows, count, whole = several.rows_of(json)
    local have = call('HGET', c.k[LIVE], '=r ' .. run.id) or ''
    w.count = (w.count or 0) + count
    if w.cut or #rows == 0 then
        -- no more are kept, or there are none
    elseif have ~= '' and #have + #rows >= BOUND.response then
        w.cut = true
    else
        call('HSET', c.k[LIVE], '=r ' .. run.id,
             have .. (have ~= '' and ',' or '') .. rows)
        w.cut = not whole or nil
    end
end

-- what failed: the CPE's fault, with the names that it is about
function several.read_fault(w, task)
    if w.fault and #w.bad == 1 and not w.unread and #task.ParameterNames == 1
       and w.bad[1][1] == task.ParameterNames[1]
    then
        return w.fault
    end
    local list = {}
    for _, b in ipairs(w.bad) do
        list[#list + 1] = '{"Name":' .. quote(b[1]) .. (tonumber(b[2])
                          and ',"FaultCode":' .. tonumber(b[2])
                          or ',"reason":' .. quote(b[2])) .. '}'
    end
    local fault = w.fault or reason_json(w.unread
                  and 'not all of it was read: it takes more than '
                      .. w.most .. ' RPCs, or more than ' .. BOUND.blamed
                      .. ' names of it fail' or 'not all of it can be read')
    return string.sub(fault, 1, -2) .. ',"ParameterNames":['
           .. table.concat(list, ',') .. ']'
           .. (w.unread and ',"unread":' .. w.unread or '') .. '}'
end

-- those paths of the task of which everything was read
function several.complete(w, task)
    local paths = {}
    for _, path in ipairs(task.ParameterNames) do
        local whole = several.is_partial(path) and not w.unread
        for _, b in ipairs(whole and w.bad or {}) do
            whole = whole and string.sub(b[1], 1, #path) ~= path
        end
        if whole then
            paths[#paths + 1] = path
        end
    end
    return paths
end

-- the part of a list that this phase is about, for C: "PHASE FROM TO MOST"
function several.phase_words(c, s, run)
    local w, reads = several.work_of(c, run), several.early[run.phase]
    local part = w and (reads and w.reads or run.phase ~= 'types' and w.left)
    part = part and part[1] or { 0, 0 }
    local l = reads and several.limits_of(c, s)
    local most = l and math.min(l.most, l.names) or BOUND.none
    if part[2] == 0 and most == BOUND.none
       or METHODS[run.method].reads
    then
        return run.phase
    end
    return string.format('%s %d %d %d', run.phase, part[1], part[2],
                         most < BOUND.none and most or 0)
end
