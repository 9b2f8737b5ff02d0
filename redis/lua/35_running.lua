-- The one RPC outstanding: which is next, what is sent, and what it means when no
-- answer comes.  What an answer says is not read here.

--[[
  running: id, method, rpc (the ID header of its envelope), attempts, sent,
  phase, instance, key (CommandKey or ParameterKey), before (what the device
  had when it was sent: its ParameterKey, or its SoftwareVersion if that is to
  change), gen, score; came: parameters of a long answer that are stored; full:
  1 when others are not, and the log was told; broke: why the last answer did
  not come to its end; early: the CPE has told how it ended, before it answered:
  status and JSON; parts: 1 when there is progress; strayed: the
  ID of another RPC with which a long answer came: it was not stored; takes: how
  many answers were ignored since they had such an ID; made: Status of the
  AddObject whose values are set; "held RPC": how often this one was held until
  replicas had it.

  phase of a task of more than one RPC, passed on to whoever writes the RPC:
    ''       the task's own RPC
    types    a read of what it will set, since nobody knows the types
    set      values of a new object (instance), after AddObject
    verify   a read of what an interrupted SetParameterValues was to set
    compare  that was read: send it, or find that it was done
    check    the same, when it may not be sent again
    confirm  a read of what was set, of a model whose Status 0 is no proof
    confirmed  that was read: was it set?
    names    a part of a read
    level    GetParameterNames of what is right below a path
    taken    new passwords were: their record is told, and no RPC sent
]]
local RUN = { 'id', 'method', 'rpc', 'attempts', 'sent', 'phase', 'instance',
              'key', 'before', 'gen', 'score', 'came', 'full', 'broke',
              'early', 'parts', 'strayed', 'takes', 'made' }

-- a whole number that Lua and Redis have exactly
function several.is_whole(text)
    return text and #text <= 16 and string.find(text, '^%-?%d+$') ~= nil
end

function several.is_running(run)
    local m = METHODS[run.method]
    return m ~= nil and several.is_whole(run.attempts)
           and several.is_whole(run.sent) and several.is_whole(run.score)
           and run.rpc and run.phase and run.instance and run.key and run.before
           and (several.is_whole(run.gen)
                or run.gen == '' and not m.reads and m.lost ~= 'verify')
           and several.is_whole(run.came or '0')
end

-- The RPC outstanding; a damaged entry ends here, before anything relies on it.
local function load_running(c)
    local run = hash_fields(c.k[RUNNING], RUN)
    if not run.id or several.is_running(run) then
        return run.id and run or nil
    end
    check_keys(c)
    finish(c, run.id, 'lost', { sent = tonumber(run.sent), fault = reason_json(
           'its entry in running was damaged') })
    call('DEL', c.k[RUNNING])
    not_due(c, 's')
end

-- does it, when it succeeds, change the SoftwareVersion?
local function is_firmware(task)
    local m = METHODS[task.method]
    return m.event == 'TransferComplete' and task.method ~= 'Upload'
           and type(task.FileType) == 'string'
           and string.find(task.FileType, '^%s*1%f[%D]') ~= nil
end

-- names whose type only the device can tell: those without a type of their own
local function untyped(list)
    local names = {}
    for name, v in pairs(list) do
        if type(v) ~= 'table' or (v.type or cjson.null) == cjson.null then
            names[#names + 1] = tostring(name)
        end
    end
    return names
end

-- the method of the RPC that is outstanding
function several.sent_as(run)
    return several.rpc[run.phase] or METHODS[run.method].rpc or run.method
end

-- flat: name, type letter and (for compare) value as last read
local function known_types(c, names, prefix)
    local out, gone_before = {}, gone_by(load_marks(c.k[PARAMS]))
    local paths = {}
    for i, name in ipairs(names) do
        paths[i] = prefix .. name
    end
    local generations, values = stored(c.k[PARAMS], paths)
    for i, path in ipairs(paths) do
        if generations[i] and generations[i] >= gone_before(path) then
            out[#out + 1] = names[i]
            out[#out + 1] = string.sub(values[i], 1, 1)
            out[#out + 1] = string.sub(values[i], 2)
        end
    end
    return out
end

-- what a task sets, and below which path
local function to_set(run, task)
    local list = METHODS[run.method].list
    if not list or type(task[list]) ~= 'table' then
        return nil
    end
    if list == 'values' then
        -- an object that was added by an alias, "T.[a].", is T.17. as well
        local table_of = string.gsub(tostring(task.ObjectName or ''),
                                     '%[[^%[%]]*%]%.$', '')
        return task[list], table_of .. (run.instance or '') .. '.'
    end
    return task[list], ''
end

-- the user of its own with which the device came last; what cannot be one is none
function several.own_user(c)
    local own = call('HGET', c.k[DEVICE], 'own') or ''
    return #own <= 256 and not string.find(own, '}', 1, true) and own or ''
end

--[[
  rpc, notes, RPC's ID, phase and part, instance, key, task's id, JSON, how it
  is spoken to (namespace, version, 1 when it says that it can do it, style),
  name, type letter, value, name, type letter, value, ... (names and level: the
  names that are asked for; RotateCredentials: the root object and what no other
  task is called; the user of its own with which the device came last)
]]
local function rpc_reply(c, s, run, task, json)
    local can = ',' .. (call('HGET', c.k[DEVICE], 'methods') or '') .. ','
    local listed = string.find(can, ',' .. run.method .. ',', 1, true)
    local reply = { 'rpc', c.notes, run.rpc, several.phase_words(c, s, run),
                    run.instance or '', run.key, run.id, json, s.v
                    .. (listed and ' 1' or ' 0') .. ' ' .. (s.y or '') }
    local asks = run.phase == 'names' or run.phase == 'level'
    if METHODS[run.method].rpc then
        reply[#reply + 1] = call('HGET', c.k[DEVICE], 'root') or 'Device'
        reply[#reply + 1] = ''
        reply[#reply + 1] = run.id .. ' ' .. select(3, load_task(c, run.id))
        reply[#reply + 1] = several.own_user(c)
        reply[#reply + 1] = ''
        reply[#reply + 1] = ''
    end
    if asks then
        for _, name in ipairs(several.names_of(run.work.left[1], task)) do
            reply[#reply + 1] = name
            reply[#reply + 1] = ''
            reply[#reply + 1] = ''
        end
    end
    if METHODS[run.method].wild and string.find(json, '*', 1, true) then
        local root = call('HGET', c.k[DEVICE], 'root') or 'Device'
        for _, v in ipairs(known_types(c, {
                root .. '.ManagementServer.InstanceWildcardsSupported' }, ''))
        do
            reply[#reply + 1] = v
        end
    end
    if asks then
        return reply
    end
    local list, prefix = to_set(run, task)
    if list and (run.method == 'SetParameterValues' or run.phase == 'set'
                 or run.instance ~= '')
    then
        local names = {}
        if run.phase == 'compare' or run.phase == 'check'
           or run.phase == 'confirmed'
        then
            for name in pairs(list) do
                names[#names + 1] = tostring(name)
            end
        else
            names = untyped(list)
        end
        for _, v in ipairs(known_types(c, names, prefix)) do
            reply[#reply + 1] = v
        end
    end
    return reply
end

-- does the task wait for a read of types first?
local function lacks_types(c, run, task)
    local list, prefix = to_set(run, task)
    if not list then
        return false
    end
    local names = untyped(list)
    return #known_types(c, names, prefix) < 3 * #names
end

-- Sends the RPC of this phase; running is written before the reply leaves.
-- typed: the types were just read, what is missing now will stay missing.
local function send(c, s, run, task, json, typed)
    local m = METHODS[run.method]
    if not typed and m.list
       and (run.phase == 'set' or run.phase == '' and run.method ~= 'AddObject')
       and lacks_types(c, run, task)
    then
        run.phase = 'types'
    end
    if not run.queued and several.must_wait(c, run.id, task, json) then
        return several.leave(c, s, run, task)
    end
    s.c = (tonumber(s.c) or 0) + 1
    run.sent, run.came, run.full, run.broke, run.early = c.now, '0', '', '', ''
    run.strayed, run.takes = '', ''
    run.rpc = string.format('%x.%d', c.second .. c.us, s.c)
    if m.reads or m.lost == 'verify' then
        run.gen = call('HINCRBY', c.k[DEVICE], 'gen', 1)
    end
    local flat = {}
    for _, name in ipairs(RUN) do
        flat[#flat + 1] = name
        flat[#flat + 1] = run[name] or ''
    end
    call('HSET', c.k[RUNNING], unpack(flat))
    if run.queued then
        call('ZREM', c.k[QUEUE], run.id)
        run.queued = nil
    end
    due(c, 's', nil, c.now + s.outstanding, 'NX')
    s.s, s.a = ACS, 'rpc'
    return rpc_reply(c, s, run, task, json)
end

local function close(c, s)
    s.s, s.a = CLOSING, 'end'
    if s.c ~= '0' then
        not_due(c, 's')
    end
    return { 'end', c.notes }
end

-- was the device reset (0 BOOTSTRAP) after the task was sent?
function several.reset_since(c, id)
    local reset = tonumber(call('HGET', c.k[DEVICE], 'bootstrap') or 0) * 1000
    return reset > tonumber(call('HGET', c.k[LIVE], '=s ' .. id) or c.now)
end

-- What an interrupted task set is read back; but not for ever, and not after
-- the CPE has forgotten it: why not, or nil.
local function not_to_verify(c, id, phase)
    if call('HINCRBY', c.k[LIVE], '=v ' .. id, 1) > VERIFIES then
        return (phase == 'verify' and 'sent, but the session ended before the '
                .. 'answer' or 'set, the device says') .. '; reading back '
               .. 'failed ' .. VERIFIES .. ' times'
    end
    return several.reset_since(c, id) and FORGOTTEN or nil
end

-- What is sent as ParameterKey; a part but the last has one of its own, so that
-- each of them can be told from the others.
function several.own_key(run, task)
    local key = parameter_key(run.id, task, run.phase)
    local w = run.work
    if run.method ~= 'SetParameterValues' or not w or #(w.left or {}) < 2 then
        return key
    end
    local suffix = '+' .. w.left[1][1]
    if #key + #suffix > 32 then
        key = string.sub(redis.sha1hex(key), 1, 32 - #suffix)
    end
    return key .. suffix
end

-- The progress that a task has, or begins with; false, and why, when it cannot
-- go on.  What was read before a reset is read again.
function several.resume(c, s, run, task)
    local reads = METHODS[run.method].reads
    local w = several.work_of(c, run)
    if run.parts == '1' and not w then
        return false, 'its progress in live was damaged'
    end
    if w and several.reset_since(c, run.id) then
        if (w.applied or 0) > 0 then
            return false, FORGOTTEN
        end
        call('HDEL', c.k[LIVE], '=l ' .. run.id, '=r ' .. run.id)
        run.work, run.parts, w = nil, '', nil
    end
    if reads and not w then
        several.plan_read(c, s, run, task)
    end
    if reads and run.work then
        run.phase = several.read_phase(run)
    end
    return true
end

-- RPCs at most (0: the node defers work), bytes of the POST ('' from older nodes),
-- values repaired in it (also: s, the node has a key)
several.counts_of = remembered('^(%d+) ?(%d*) ?(%d*) ?(s?)')

-- how many values of an Inform are not quite what was sent, for an event
function several.repaired(n)
    if n ~= '' then
        return 'repaired', n
    end
end

-- Is the session longer, or has it brought more, than any may?  Why, or nil.
function several.too_much_of(c, s)
    if c.now - (tonumber(s.o) or c.now) >= SESSION_MS then
        return 'the session lasts longer than ' .. SESSION_MS / 3600000
               .. ' hours'
    elseif tonumber(s.b) > SESSION_BYTES then
        return 'the session brings more than ' .. SESSION_BYTES / 1048576
               .. ' MB'
    end
end

-- May this session have one more RPC?  If not, why, for people; '' when that is
-- as it should be.
function several.may_send(c, s)
    if s.last or s.l == '1' or s.most == '0' then
        return false, ''
    elseif tonumber(s.c) >= tonumber(s.most) then
        return false, 'more tasks than cwmp_max_rpcs'
    end
    local why = several.too_much_of(c, s)
    return not why, why
end

-- What the node is to seal before anything else, and give back by a verdict; nil
-- when there is nothing.
function several.to_seal(c)
    local list = c.seals and call('HGET', c.k[DEVICE], 'clear')
    local reply, size = { 'seal', c.notes }, 0
    for id in string.gmatch(list or '', '%S+') do
        local entry = size < INTAKE_BYTES and call('HGET', c.k[LIVE], id)
        local queued, json = string.match(entry or '', '^(%d+) (.*)$')
        if queued then
            reply[#reply + 1] = id .. ' ' .. queued
            reply[#reply + 1] = json
            size = size + #json
        end
    end
    if list and size == 0 then
        call('HDEL', c.k[DEVICE], 'clear')
    end
    return size > 0 and reply or nil
end

-- args from first: a task's id, and when it was queued; its JSON with all secrets
-- sealed, or nothing where there is none, or = when it is no JSON for a node:
-- it need not lie here until its time comes
function several.sealed(c, args, first)
    local list = (call('HGET', c.k[DEVICE], 'clear') or '') .. ' '
    for i = first, #args - 1, 2 do
        local id, queued = string.match(args[i], '^(%S+) ?(%d*)$')
        local was = id and call('HGET', c.k[LIVE], id)
        local time = string.match(was or '', '^%d+')
        if not time or queued ~= '' and queued ~= time then
            -- it is another one
        elseif args[i + 1] == '=' then
            local why = 'is no JSON object: a name twice, or a text that no '
                        .. 'message can carry'
            note(c, 'task ' .. id .. ' rejected: task: ' .. why)
            finish(c, id, 'rejected', { fault = reason_json(why, 'task') })
        elseif args[i + 1] ~= '' then
            call('HSET', c.k[LIVE], id, time .. ' ' .. args[i + 1])
        end
        local at, to = string.find(list, ' ' .. (id or '') .. ' ', 1, true)
        if at then
            list = string.sub(list, 1, at) .. string.sub(list, to + 1)
        end
    end
    c.last = nil
    list = string.match(list, '^(.-)%s*$')
    if list == '' then
        call('HDEL', c.k[DEVICE], 'clear')
    else
        call('HSET', c.k[DEVICE], 'clear', list)
    end
end

local next_task

-- the next task of the queue, or the end of the session
function next_task(c, s)
    if (c.free and call('EXISTS', c.k[TASKS])
        or call('EXISTS', c.k[TASKS], c.k[LIVE])) == 0
    then
        return close(c, s)
    end
    local may, why = several.may_send(c, s)
    if not may then
        -- those that wait for an event are not meant
        if why ~= '' and call('EXISTS', c.k[TASKS], c.k[QUEUE]) > 0 then
            note(c, why .. ': the rest waits for the next session')
        end
        return close(c, s)
    end
    check_keys(c)
    local id, score, task, json
    for _ = 1, INTAKES do           -- all of the first ones may be bad
        local more = intake(c, INTAKE)
        id, score, task, json = pick(c)
        if id or not more then
            break
        end
    end
    local seal = several.to_seal(c)
    if seal then
        return seal
    end
    if not id then
        return close(c, s)
    end
    local kept = call('HMGET', c.k[LIVE], '=p ' .. id, '=l ' .. id)
    if kept[2] and not c.k[LEARNED] then
        note(c, 'task ' .. id .. ' goes on at a node of a newer version')
        return close(c, s)
    end
    local phase = kept[1] or ''
    local why = phase ~= 'types' and several.early[phase]
                and not_to_verify(c, id, phase)
    if why then
        finish(c, id, 'lost', { fault = reason_json(why) })
        return next_task(c, s)
    end
    local run = { id = id, method = task.method, phase = phase, instance = '',
                  key = command_key(id, task), before = '', score = score,
                  parts = kept[2] and '1' or '', queued = true,
                  attempts = call('HINCRBY', c.k[LIVE], '=a ' .. id,
                                  phase == '' and 1 or 0) }
    local good, wrong = several.resume(c, s, run, task)
    if not good then
        finish(c, id, 'lost', { fault = reason_json(wrong) })
        return next_task(c, s)
    end
    if METHODS[task.method].lost == 'verify' then
        run.key = several.own_key(run, task)
        run.before = call('HGET', c.k[DEVICE], 'parameterkey') or ''
    elseif is_firmware(task) then
        run.before = call('HGET', c.k[DEVICE], 'version') or ''
    end
    return send(c, s, run, task, json)
end

-- what is there all the same when the values of a new object failed
local function half_made(run)
    return run.instance ~= '' and '{"InstanceNumber":' .. run.instance .. '}'
           or nil
end

-- was nothing of the task sent but a read of the types of what it sets?
local function only_types(c, run)
    return run.phase == 'types' and run.instance == ''
           and ((several.work_of(c, run) or {}).applied or 0) == 0
end

-- The result of what the CPE told of too early; whatever it answers.
local function end_early(c, run)
    local status, json = string.match(run.early or '', '^(%a+) (.*)$')
    if status then
        finish(c, run.id, status, { sent = tonumber(run.sent),
               [status == 'fault' and 'fault' or 'response'] = json })
    end
    return status
end

-- Sent too often, or not answered: what its result is.  While the types of
-- what it sets are read nothing of the task itself was sent.
local function give_up(c, run, reason)
    if end_early(c, run) then
        return
    end
    local unsent = only_types(c, run)
    finish(c, run.id, unsent and 'rejected' or 'lost', {
           unsent = unsent, sent = not unsent and tonumber(run.sent) or nil,
           response = half_made(run),
           fault = reason_json(unsent and 'the read of the types of what it '
                               .. 'sets was not answered: ' .. reason
                               or reason) })
    note(c, 'task ' .. run.id .. ' (' .. run.method .. ') is given up: '
            .. reason)
end

-- what there is of an answer that did not come to its end
local function part_of_it(run)
    local came, broke = tonumber(run.came) or 0, run.broke or ''
    if came == 0 and broke == '' then
        return ''
    end
    return '; its last answer broke off' .. (broke == '' and '' or ' ('
           .. broke .. ')') .. ', ' .. came .. ' parameters of it are stored'
end

-- to its old place in the queue
function several.put_back(c, run, task)
    call('ZADD', c.k[QUEUE], run.score, run.id)
    if task.expires then
        due(c, 'x', run.id, task.expires * 1000)
    end
end

-- the same for what was sent; unknown: what it did
function several.requeue(c, run, task, phase, unknown)
    several.put_back(c, run, task)
    call('HSET', c.k[LIVE], '=p ' .. run.id, phase, '=u ' .. run.id,
         unknown and '1' or '0')
    if not only_types(c, run) then
        call('HSET', c.k[LIVE], '=s ' .. run.id, run.sent)
    end
end

-- A read without an answer: a path may be too much for the CPE.  Types are read
-- from the start: what came is known.
function several.after_loss(c, run, task)
    local w = several.work_of(c, run)
    if w and w.reads and run.phase == 'types' then
        w.reads = nil
        several.save_work(c, run)
    end
    local names = METHODS[run.method].reads and c.k[LEARNED]
                  and run.phase ~= 'level' and several.names_to_read(task)
    if names and w then
        names = several.names_of(w.left[1], task)
    end
    if names and several.has_partial(names) then
        if not w then
            -- what came of the lost answer is older than this read
            several.new_read(run, { { 0, #names } }, run.gen + 1)
        end
        several.ask_less(c, run, task, 'lost')
        several.save_work(c, run)
    end
end

-- the same, when it may be sent again
local function send_again(c, run, task, phase, disproved)
    if not phase and tonumber(run.attempts) >= (task.attempts or 3) then
        return give_up(c, run, 'sent ' .. run.attempts .. ' times without an '
                               .. 'answer' .. part_of_it(run)
                               .. (disproved and '; ParameterKey says that it '
                                                 .. 'was not done' or ''))
    end
    several.after_loss(c, run, task)
    -- disproved: what was sent is known to have had no effect
    several.requeue(c, run, task, phase or '',
            not disproved and run.phase ~= 'types')
    note(c, 'task ' .. run.id .. ' (' .. run.method .. ') will be sent again')
end

-- an unsignedInt of a task that nobody may have checked yet
local function seconds_in(v)
    local n = tonumber(v)
    return n and n >= 0 and n <= 4294967295 and n or 0
end

-- in how many seconds the CPE is to begin, or must have ended
local function delay_of(task)
    local delay = seconds_in(task.DelaySeconds)
    if type(task.TimeWindowList) == 'table' then
        for _, window in pairs(task.TimeWindowList) do
            if type(window) == 'table' then
                delay = math.max(delay, seconds_in(window.WindowEnd))
            end
        end
    end
    return delay
end

local function await(c, run, task, answered)
    local m = METHODS[run.method]
    local delay = delay_of(task)
    local deadline = c.now + ((m.wait or 86400) + delay) * 1000
    call('HSET', c.k[WAITING], run.id, cjson.encode({
         id = run.id, method = run.method, key = run.key, before = run.before,
         sent = run.sent, attempts = run.attempts, score = run.score,
         phase = run.phase, instance = run.instance, answered = answered,
         retry = task.retry == true, deadline = deadline }))
    due(c, 'w', run.id, deadline)
end

local function no_longer_waits(c, w)
    call('HDEL', c.k[WAITING], w.id)
    not_due(c, 'w', w.id)
end

local function awaited(c, w, status, more)
    more = more or {}
    more.sent = tonumber(w.sent)
    no_longer_waits(c, w)
    finish(c, w.id, status, more)
end

-- The session is over, or the RPC's answer cannot come any more: what now?
local function lose(c, why)
    check_keys(c)
    local run = load_running(c)
    local task = run and several.outstanding(c, run)
    if not task then
        return
    end
    call('DEL', c.k[RUNNING])
    not_due(c, 's')
    why = why .. part_of_it(run)
    event(c, 'session', 'state', 'lost', 'task', run.id, 'reason', why)
    note(c, 'session ended with an RPC outstanding (' .. why .. '): task '
            .. run.id)
    if end_early(c, run) then
        return
    elseif METHODS[run.method].lost ~= 'again' and not several.early[run.phase]
    then
        return await(c, run, task, false)
    end
    -- what only reads is repeated; a half-made object is not made twice
    if run.instance ~= '' then
        return give_up(c, run, 'the object was added as instance '
                       .. run.instance .. ', its values may be missing')
    end
    send_again(c, run, task, run.phase ~= 'types' and several.early[run.phase]
                             and run.phase or nil)
end
