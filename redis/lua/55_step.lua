-- The steps after the Inform: a response, a fault, a request, nothing.  Each of
-- them answers with a verb; cwmp_step is the one that chooses.

-- the end of the RPC outstanding, whatever came of it; the next one follows
local function settle(c, s, run, status, more)
    more = more or {}
    more.sent = not only_types(c, run) and tonumber(run.sent) or nil
    more.response = more.response or half_made(run)
    if more.response and (run.full == '1' or run.work and run.work.full) then
        more.response = string.sub(more.response, 1, -2) .. ',"stored":false}'
    end
    finish(c, run.id, status, more)
    call('DEL', c.k[RUNNING])
end

-- The next message of a task of several.  When the session may have no more,
-- the rest waits for the next one; a new object's values never do.
function several.proceed(c, s, run, task, json)
    if run.work and run.full == '1' then
        run.work.full = true
    end
    several.save_work(c, run)
    local may, why = several.may_send(c, s)
    if not may and run.instance == '' then
        call('DEL', c.k[RUNNING])
        if not several.early[run.phase] then
            call('HSET', c.k[LIVE], '=a ' .. run.id, 0)
        end
        several.requeue(c, run, task,
                        several.early[run.phase] and run.phase or '')
        note(c, 'task ' .. run.id .. ': ' .. (why == '' and '' or why .. ': ')
                .. 'the rest waits for the next session')
        return close(c, s)
    end
    if not several.early[run.phase] then
        run.attempts = '1'
        call('HSET', c.k[LIVE], '=a ' .. run.id, 1)
    end
    return send(c, s, run, task, json, true)
end

-- the end of a read of several RPCs
function several.read_done(c, s, run, task)
    local w = run.work
    local response = several.list_of(call('HGET', c.k[LIVE], '=r ' .. run.id),
                             { cut = w.cut, count = w.count or 0 })
    mark_read(c, w.gen, several.complete(w, task))
    if #w.bad == 0 and not w.unread then
        settle(c, s, run, 'done', { response = response })
    else
        settle(c, s, run, 'fault', { fault = several.read_fault(w, task),
               response = w.count and response or nil })
    end
    return next_task(c, s)
end

-- The next RPC of a read, or its end; what would take too many is not read.
function several.read_on(c, s, run, task, json)
    local w = run.work
    w.rpcs = w.rpcs + 1
    if #w.left > 0 and (w.rpcs >= w.most or #w.bad >= BOUND.blamed) then
        w.unread = 0
        for _, part in ipairs(w.left) do
            local names = several.names_of(part, task)
            w.unread = w.unread + #names
            for i = 1, math.min(#names, BOUND.blamed + 10 - #w.bad) do
                several.blame(w, names[i], 'not read')
            end
        end
        w.left = {}
    end
    if #w.left == 0 then
        return several.read_done(c, s, run, task)
    end
    run.phase = several.read_phase(run)
    return several.proceed(c, s, run, task, json)
end

-- what is right below a path was listed: that is read instead of it
function several.level_read(c, s, run, task, json, r)
    local w = run.work
    local head = table.remove(w.left, 1)
    local names, objects = several.children(head.l, r.json)
    local l = several.limits_of(c, s)
    local parts = names and several.level_parts(l, names, objects) or {}
    several.put_first(w.left, parts)
    if not names then
        several.blame(w, head.l, objects)
    elseif #cjson.encode(w.left) > BOUND.work then
        w.left = several.slice(w.left, #parts, #w.left)
        several.blame(w, head.l, 'has more below it than is taken at once')
    elseif several.too_much[head.c] and #parts > 0 then
        several.learn(c, 'level', math.floor(c.now / 1000),
                      several.general(head.l))
    elseif head.c == nil then
        -- the table of quirks, or the model, wants it: that is no failure
        w.most = math.min(w.most + 1 + #parts, BOUND.reads)
    end
    return several.read_on(c, s, run, task, json)
end

-- Values were read: all of them?  nil: of a task of one RPC, all.
function several.part_read(c, s, run, task, json, r)
    local most = quirk(s, 'valuesAtMost')
    local names = most and not run.work and several.names_to_read(task)
    if run.work then
        names = several.names_of(run.work.left[1], task)
    end
    local cut = most and names and several.has_partial(names)
                and select(2, several.rows_of(r.json)) >= most
    if not run.work and not cut then
        return nil
    end
    if not run.work then
        several.new_read(run, { { 0, #names } }, run.gen)
    end
    if cut then
        several.ask_less(c, run, task, 'the model answers with ' .. most
                               .. ' values at most')
    else
        several.keep_rows(c, run, r.json)
        mark_read(c, run.gen, names)
        table.remove(run.work.left, 1)
    end
    return several.read_on(c, s, run, task, json)
end

-- a read was refused; nil: there is nothing less to ask for
function several.read_refused(c, s, run, task, json, fault, code)
    local names = c.k[LEARNED] and METHODS[run.method].reads
                  and several.names_to_read(task)
    if not names or not several.too_much[code] and not run.work then
        return nil
    end
    if not run.work then
        if #names == 1 and not several.is_partial(names[1]) then
            return nil
        end
        several.new_read(run, { { 0, #names } }, run.gen)
    end
    if several.too_much[code] or run.phase == 'level' then
        several.ask_less(c, run, task, code, fault)
    else
        -- whatever it is, less would not help: these, and on with the rest
        local head = table.remove(run.work.left, 1)
        for _, name in ipairs(several.names_of(head, task)) do
            if #run.work.bad < BOUND.blamed then
                several.blame(run.work, name, code, fault)
            else
                run.work.unread = (run.work.unread or 0) + 1
            end
        end
    end
    return several.read_on(c, s, run, task, json)
end

-- So many names at once are too many for a read that comes before; nil: there
-- is but one.
function several.read_half(c, s, run, task, json)
    local w = several.work_of(c, run) or {}
    local list, size = to_set(run, task), 0
    for _ in pairs(list or {}) do
        size = size + 1
    end
    local head = w.reads and w.reads[1]
                 or run.phase ~= 'types' and w.left and w.left[1]
                 or { 0, size }
    size = head[2] - head[1]
    if not c.k[LEARNED] or size < 2 then
        return nil
    end
    w.reads = w.reads or { head }
    table.remove(w.reads, 1)
    several.put_first(w.reads, several.parts_at(head, {
                      0, math.floor(size / 2), size }))
    run.work = w
    return several.proceed(c, s, run, task, json)
end

-- What was set was applied, one part or all of it: on with the next part.
-- response: when there are no parts.
function several.set_on(c, s, run, task, json, response, status, how)
    local w = several.work_of(c, run)
    if w and w.applied then
        response = several.part_applied(c, run, status, how)
    end
    if response then
        settle(c, s, run, 'done', { response = response })
        return next_task(c, s)
    end
    run.phase, run.before = '', run.key
    run.key = several.own_key(run, task)
    return several.proceed(c, s, run, task, json)
end

-- The RPCs that this session gave up, in its field g: their answers may come yet.
function several.give_up_on(c, run)
    local g = call('HGET', c.k[SESSION], 'g') or ''
    call('HSET', c.k[SESSION], 'g', string.sub(g, -GIVEN_UP) .. ' ' .. run.rpc)
end

function several.is_given_up(c, id)
    local g = call('HGET', c.k[SESSION], 'g')
    return g and string.find(g .. ' ', ' ' .. id .. ' ', 1, true) ~= nil
end

-- an ID that we gave to another RPC
function several.is_anothers(run, id)
    return id ~= run.rpc and string.find(id, '^%x+%.%d+$') ~= nil
end

--[[
  Answers are matched by order, since CPEs send none or a constant ID; but an
  ID that we gave to another RPC may tell that it is not the answer to this one,
  which is sent again then: surely that of an RPC that this session gave up; else
  once, and not when what must not happen twice is answered by its method.  (The
  same bytes a third time are taken as new, unless a part of them came ahead of
  the step, since it was not stored.)
]]
local function is_stray(c, s, args, run, id, method)
    local ignored = tonumber(run.takes) or 0
    if not several.is_anothers(run, id) or ignored >= STRAYS then
        return false
    end
    if not several.is_given_up(c, id) then
        local fits = method == nil
                     or method == several.sent_as(run)
        local again = METHODS[run.method].lost == 'again'
                      or several.early[run.phase]
        if ignored > 0 or run.strayed ~= id
           and (args[4] == s.d or fits and not again)
        then
            return false
        end
    end
    call('HSET', c.k[RUNNING], 'takes', ignored + 1)
    note(c, 'task ' .. run.id .. ': the answer to another RPC, ID ' .. id
            .. ', is ignored')
    return true
end

-- an empty POST: the CPE's requests are over, or it did not take our RPC
local function on_empty(c, s)
    if s.s ~= ACS then
        return s.s == CPE and next_task(c, s) or { 'end', c.notes }
    end
    if s.e == '0' then
        s.e = '1'
        return same_rpc(c, s)
    end
    check_keys(c)
    s.e = '0'
    local run = load_running(c)
    if run then
        call('DEL', c.k[RUNNING])
        several.give_up_on(c, run)
        give_up(c, run, 'the CPE did not answer: two empty POSTs in a row')
    end
    return next_task(c, s)
end

-- a phase of a task of several RPCs is answered: the next one
local function next_phase(c, s, run, task, json)
    local w = several.work_of(c, run)
    if w and w.reads then
        table.remove(w.reads, 1)
        if #w.reads > 0 then
            return several.proceed(c, s, run, task, json)
        end
        w.reads = nil
        several.save_work(c, run)
    end
    if run.phase == 'confirm' then
        run.phase = 'confirmed'
        return send(c, s, run, task, json, true)
    end
    if run.phase == 'types' then
        run.phase = run.instance ~= '' and 'set' or ''
        return send(c, s, run, task, json, true)
    end
    if tonumber(run.attempts) >= (task.attempts or 3) then
        run.phase = 'check'
    else
        run.phase = 'compare'
        run.attempts = call('HINCRBY', c.k[LIVE], '=a ' .. run.id, 1)
    end
    return send(c, s, run, task, json, true)
end

-- a change was confirmed: which ParameterKey the device now has, what is gone
local function changed(c, run, task)
    -- the next Inform is not taken for one that tells nothing new
    call('HSET', c.k[DEVICE], 'lastkey', run.key, 'parameterkey', run.key,
         'is', '')
    if run.method == 'DeleteObject' then
        mark_read(c, run.gen, { tostring(task.ObjectName or '') })
    end
end

-- What the device says that it can do, by names and commas.
local function remember_methods(c, json)
    local list, names = (decode(json) or {}).MethodList, {}
    for _, name in ipairs(type(list) == 'table' and list or {}) do
        if type(name) == 'string' and #name <= 64 and #names < METHODS_MAX
           and string.find(name, '^[%w_.-]+$')
        then
            names[#names + 1] = name
        end
    end
    call('HSET', c.k[DEVICE], 'methods', table.concat(names, ','))
end

-- New passwords were taken: their record is to know it, and is another slot's;
-- then the caller's verdict ends the task.
function several.credentials_taken(c, s, run, task, json, response)
    run.phase, run.early = 'taken', 'done ' .. response
    call('HSET', c.k[RUNNING], 'phase', run.phase, 'early', run.early)
    return rpc_reply(c, s, run, task, json)
end

local function done(c, s, run, task, json, r)
    local m = METHODS[run.method]
    if m.lost == 'verify' or m.rpc then
        changed(c, run, task)
    end
    if m.rpc and c.seals then
        return several.credentials_taken(c, s, run, task, json, r.json)
    end
    local adds = run.method == 'AddObject' and run.phase == ''
    if adds and r.instance == '' then
        settle(c, s, run, 'lost', { fault = reason_json('the object was added,'
               .. ' but the AddObjectResponse has no InstanceNumber') })
        return next_task(c, s)
    end
    if adds and type(task.values) == 'table' and next(task.values) ~= nil then
        run.phase, run.instance, run.before = 'set', r.instance, run.key
        run.made = r.status
        run.key = parameter_key(run.id, task, 'set')
        return send(c, s, run, task, json)
    end
    if m.list and r.status == '0' and to_set(run, task)
       and quirk(s, 'confirmSet') and c.k[LEARNED]
    then
        run.phase = 'confirm'
        return send(c, s, run, task, json, true)
    end
    if run.method == 'SetParameterValues' then
        return several.set_on(c, s, run, task, json, r.json, r.status)
    end
    local more = m.reads and c.k[LEARNED]
                 and several.part_read(c, s, run, task, json, r)
    if more then
        return more
    end
    if m.reads and type(task.ParameterNames) == 'table' then
        mark_read(c, run.gen, task.ParameterNames)
    end
    if m.cancels then
        cancelled(c, m.cancels, task.CommandKey)
    end
    if m.event and r.status ~= '0' then
        call('DEL', c.k[RUNNING])
        if not end_early(c, run) then
            await(c, run, task, true)
        end
        s.l = m.closes and '1' or s.l
        return next_task(c, s)
    end
    if m.lists then
        remember_methods(c, r.json)
    end
    local response = r.json
    if run.instance ~= '' then
        response = '{"InstanceNumber":' .. run.instance .. ',"Status":'
                   .. several.worst(run, r.status) .. '}'
    end
    settle(c, s, run, 'done', { response = response })
    return next_task(c, s)
end

--[[
  args from 9: method answered, JSON, Status, InstanceNumber, ID, then the
  parameters read: name, letter and value, ...
]]
local function on_response(c, s, args)
    check_keys(c)
    local run = s.s == ACS and load_running(c)
    if not run then
        note(c, args[9] .. 'Response with nothing outstanding')
        return on_empty(c, s)
    end
    if is_stray(c, s, args, run, args[13], args[9]) then
        return same_rpc(c, s)
    end
    local r = { method = args[9], json = args[10], status = args[11],
                instance = args[12] }
    local task, json = several.outstanding(c, run)
    if not task then
        return next_task(c, s)
    end
    local want = several.sent_as(run)
    if r.method ~= want then
        call('DEL', c.k[RUNNING])
        give_up(c, run, 'invalid response: ' .. r.method .. 'Response to '
                        .. want)
        return next_task(c, s)
    end
    s.m = args[13] == run.rpc and '1' or '0'
    if want == 'GetParameterValues' and args[14] then
        write_params(c, run.gen, args, 14, run)
        call('HDEL', c.k[DEVICE], 'informed')
    end
    if several.early[run.phase] then
        return next_phase(c, s, run, task, json)
    end
    if run.phase == 'level' then
        return several.level_read(c, s, run, task, json, r)
    end
    return done(c, s, run, task, json, r)
end

-- args from 9: JSON of the fault, its code, ID
local function on_fault(c, s, args)
    check_keys(c)
    local run = s.s == ACS and load_running(c)
    if not run then
        note(c, 'a Fault with nothing outstanding')
        return on_empty(c, s)
    end
    if is_stray(c, s, args, run, args[11]) then
        return same_rpc(c, s)
    end
    s.m = args[11] == run.rpc and '1' or '0'
    event(c, 'fault', 'id', run.id, 'code', args[10])
    local task, json = several.outstanding(c, run)
    if not task then
        return next_task(c, s)
    end
    local less
    if several.early[run.phase] and args[10] == '9004' then
        less = several.read_half(c, s, run, task, json)
    elseif not several.early[run.phase] then
        less = several.read_refused(c, s, run, task, json, args[9], args[10])
    end
    if less then
        return less
    elseif METHODS[run.method].rpc then
        -- a device may quote the passwords that it refuses
        args[9] = string.gsub(args[9], string.rep('[a-km-np-z2-9]', 20),
                              '(hidden)')
    end
    if run.phase == 'verify' or run.phase == 'confirm' then
        settle(c, s, run, 'lost', { fault = reason_json(
               (run.phase == 'verify' and 'sent, but the session ended before '
               .. 'the answer' or 'set, the device says')
               .. '; reading back gave fault ' .. args[10]) })
    else
        settle(c, s, run, 'fault', { fault = run.phase ~= 'types' and args[9]
               or string.sub(args[9], 1, -2) .. ',"reason":"to read the types of '
                  .. 'what is to be set; nothing was set. A task that gives '
                  .. 'them learns which name is wrong"}' })
    end
    return next_task(c, s)
end

-- args from 9: method, CommandKey, FaultCode, JSON
local function on_request(c, s, args)
    local means = REQUESTS[args[9]]
    if means then
        check_keys(c)
        means(c, args[10], args[11], args[12])
    end
    if s.s == CLOSING then
        s.s = CPE
    end
    -- an RPC that is outstanding stays so
    return { 'answer', c.notes, s.y or '' }
end

-- Where a list is to be cut, "0 120 300", so that each part fits into one
-- message.
function several.on_split(c, s, run, task, json, text)
    local at = {}
    for place in string.gmatch(text, '%d+') do
        at[#at + 1] = tonumber(place)
    end
    -- it was not sent, and is sent in parts now
    s.c = math.max(0, tonumber(s.c) - 1)
    run.work = several.work_of(c, run) or {}
    local w = run.work
    if several.early[run.phase] then
        w.reads = w.reads or {}
        table.remove(w.reads, 1)
        several.put_first(w.reads, several.parts_at({ 0, 0 }, at))
    elseif METHODS[run.method].reads then
        if not w.left then
            several.new_read(run, { { 0, at[#at] } }, run.gen)
            w = run.work
        end
        local parts = several.parts_at(table.remove(w.left, 1), at)
        several.put_first(w.left, parts)
        w.most = math.min(w.most + 2 * #parts, BOUND.reads)
        run.phase = several.read_phase(run)
    else
        w.left = w.left or { { 0, at[#at] } }
        w.applied, w.size = w.applied or 0, w.size or at[#at]
        table.remove(w.left, 1)
        several.put_first(w.left, several.parts_at({ 0, 0 }, at))
        run.key = several.own_key(run, task)
    end
    return several.proceed(c, s, run, task, json)
end

-- it is known that the device has these values
function several.on_known(c, s, run, task, json, response)
    if several.early[run.phase] then        -- types: nothing is left to read
        return next_phase(c, s, run, task, json)
    elseif METHODS[run.method].rpc then
        settle(c, s, run, 'done', { response = string.match(run.early or '',
                                                '^done (.*)$') or response })
        return next_task(c, s)
    end
    local confirmed = run.phase == 'confirmed'
    if run.instance ~= '' then
        settle(c, s, run, 'done', { response = '{"InstanceNumber":'
               .. run.instance .. ',"Status":' .. several.worst(run, 0)
               .. '}' })
        return next_task(c, s)
    end
    return several.set_on(c, s, run, task, json,
                  confirmed and '{"Status":0}' or response, 0,
                  not confirmed and 'read' or nil)
end

-- Its next RPC was not sent, and waits for a node with the key; the values of an
-- object that was added do not.
function several.leave(c, s, run, task)
    call('DEL', c.k[RUNNING])
    if run.instance ~= '' then
        give_up(c, run, 'the object was added as instance ' .. run.instance
                .. ', its values are sealed, and this node has not the key')
        return next_task(c, s)
    end
    if run.phase == 'confirmed' then        -- it was set, that is still to be read
        call('HSET', c.k[LIVE], '=p ' .. run.id, 'confirm')
    elseif run.phase == '' or run.phase == 'compare' then
        call('HINCRBY', c.k[LIVE], '=a ' .. run.id, -1)
    end
    several.put_back(c, run, task)
    return next_task(c, s)
end

-- The RPC outstanding was held until replicas have it, which they did not in
-- time.  Nobody has sent it but who has held it, too: then nobody knows.
function several.on_unsent(c, s, run, why)
    local held = run and call('HGET', c.k[RUNNING], 'held ' .. run.rpc)
    local task = run and load_task(c, run.id)
    if task and (tonumber(held) or 0) <= 1 and METHODS[run.method] then
        call('DEL', c.k[RUNNING])
        call('HINCRBY', c.k[LIVE], '=a ' .. run.id, -1)
        several.put_back(c, run, task)
        note(c, 'task ' .. run.id .. ' (' .. run.method
                .. ') waits for the next session')
    elseif run then
        lose(c, why)
    end
    return close(c, s)
end

-- The caller could not send it, or not at once, or found it done: args from 9:
-- task's id, 'rejected' with field and reason, 'split' with places, 'done'
-- with a response, 'unsent' with a reason, 'waits' (for
-- another node) with field and reason, or 'sealed'; 'last' when no call may
-- follow; the RPC's ID; waits: the name of the key; sealed: id, JSON, ...
local function on_verdict(c, s, args)
    check_keys(c)
    local run = load_running(c)
    s.last = args[13] == 'last'
    if run and (run.id ~= args[9] or args[14] and args[14] ~= run.rpc) then
        return same_rpc(c, s)       -- another worker had this POST, too
    end
    if args[10] == 'sealed' then
        several.sealed(c, args, 15)
        return run and same_rpc(c, s) or next_task(c, s)
    end
    if args[10] == 'unsent' then
        return several.on_unsent(c, s, run, args[11])
    end
    if run and args[10] == 'waits' then
        local task, json = several.outstanding(c, run)
        s.c = math.max(0, tonumber(s.c) - 1)
        if not task then
            return next_task(c, s)
        end
        several.waits_for(c, run.id,
                          several.name_of_wait(run.id, task, args[15]),
                          args[11] .. ' ' .. args[12])
        return several.leave(c, s, run, task)
    end
    local task, json
    if run and args[10] ~= 'rejected' then
        task, json = several.outstanding(c, run)
    end
    if task and args[10] == 'split' then
        return several.on_split(c, s, run, task, json, args[11])
    elseif task then
        return several.on_known(c, s, run, task, json, args[11])
    end
    if run and args[10] == 'rejected' then
        note(c, 'task ' .. run.id .. ' rejected: ' .. args[11] .. ': '
                .. args[12])
        -- compare, check, "=u": it had been sent in an earlier session
        local w = several.work_of(c, run)
        local unknown = call('HGET', c.k[LIVE], '=u ' .. run.id) == '1'
                        and several.changes(run.method)
        local status = (run.instance ~= '' or run.phase == 'confirmed'
                        or w and (w.applied or 0) > 0) and 'fault'
                       or (unknown or run.phase == 'compare'
                           or run.phase == 'check') and 'lost' or 'rejected'
        if status == 'rejected' then
            run.sent = nil
        end
        settle(c, s, run, status, { fault = reason_json(args[12], args[11]) })
    end
    return next_task(c, s)
end

local POSTS = { empty = on_empty, request = on_request, verdict = on_verdict,
                response = on_response, fault = on_fault }

--[[
  The bytes of the last POST once more: sent again since its connection died,
  or, of a request, since the ACS said 8005?  A request surely, however often.
  An answer by the ID of its RPC, too.  But a CPE that echoes no ID answers two
  RPCs in the same bytes: on one connection (the nonce's first part) those are
  two answers.
]]
local function is_resent(s, digest, nonce)
    if digest == '' or digest ~= s.d then
        return false
    end
    if s.a == 'answer' then
        return true
    end
    if s.r ~= '0' then
        return false
    end
    return s.m == '1'
           or string.match(nonce, '^(.*)%.') ~= string.match(s.n, '^(.*)%.')
end

--[[
  args: id, token, nonce, digest, kind, idle ms, outstanding ms, RPCs at most (0
  while Redis is slow) and bytes of the POST, and values in it that were repaired,
  if any ("256 4711 2"; older nodes tell the first only), ...
  The nonce is the call's: a call that is repeated since its reply was lost
  gets the same answer.  The digest is the POST's: the same bytes get the same
  answer once more; a third time they are taken as new.
]]
local function step(c, args)
    local kind, nonce, digest = args[5], args[3], args[4]
    if kind == 'inform' then
        return inform(c, args)
    end
    local s = load_session(c)
    if not s and kind == 'request' and several.in_quarantine(c) then
        return { 'bare', c.notes, '' }
    end
    if not s or s.t ~= args[2] then
        return { 'unknown', c.notes }
    end
    local counts = several.counts_of(args[8])
    local bytes = counts[2]
    s.outstanding, s.most, c.seals = args[7], counts[1], counts[4] == 's'
    s.idle = s.to ~= args[6] and tonumber(s.to) > tonumber(args[6]) and s.to
             or args[6]
    c.q = s.q
    if s.n == nonce then
        return replay(c, s)
    end
    local refused = several.refusal(c, s.u)
    if refused then
        return refused
    end
    several.spend(c)
    local why = (kind == 'request' or s.s == CLOSING and kind ~= 'verdict')
                and several.too_much_of(c, s)
    if why then
        lose(c, why)
        call('DEL', c.k[SESSION])
        note(c, why .. ': it is ended')
        return { 'unknown', c.notes }
    end
    if kind ~= 'verdict' then       -- that is a further call of the same POST
        s.b = s.b + (tonumber(bytes) or 0)
    end
    local reply
    if kind ~= 'verdict' and is_resent(s, digest, nonce) then
        s.r = '1'
        reply = replay(c, s)
    else
        s.r, s.m = '0', kind == 'verdict' and s.m or '0'
        if kind ~= 'empty' and kind ~= 'verdict' then
            s.e = '0'
        end
        reply = POSTS[kind](c, s, args)
        s.a = reply[1]
    end
    if kind == 'empty' and reply[1] == 'end' then
        -- the next empty POST is answered so in any case; others are no repeats
        s.r = '1'
        nonce = nil
    end
    -- a verdict is a further call of the same POST
    save(c, s, nonce, kind == 'verdict' and s.d or digest)
    return reply
end

-- A key of a wrong type is said by name, also one that no step looks at before.
-- What the Inform tells is written again by the next one.
local function cwmp_step(keys, args, packed, auth, rule)
    local c = context(keys, args[1])
    c.packed, c.rule = packed, rule
    c.auth = auth and several.proof_of(auth)
    local ok, reply = pcall(step, c, args)
    if ok then
        -- one word is enough for most
        local short = packed and not c.notes[1]
                      and (reply[1] == 'end' or reply[1] == 'inform'
                           and reply[3] == args[2] and reply[4] == ''
                           and not reply[5])
        return short and reply[1] or reply
    end
    if args[5] == 'inform' then
        redis.pcall('HDEL', c.k[DEVICE], 'informed')
    end
    check_kinds(c, KINDS)
    check_kinds(c, { [SEEN] = 'zset', [MODEL] = 'zset', [SOFTWARE] = 'zset',
                     [FIRST] = 'zset' })
    several.check_unknown(c)
    check_numbers(c)
    error(reply, 0)
end
