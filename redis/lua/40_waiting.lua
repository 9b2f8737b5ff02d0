-- Tasks that wait for what a CPE tells later, TransferComplete and the like: who
-- waits for which, and when that is over.

-- the task, when it is to be settled; a damaged one ends here
local function task_of(c, w)
    local task = load_task(c, w.id)
    if not task then
        awaited(c, w, 'lost', { fault = reason_json(
                'its entry in live was damaged') })
    end
    return task
end

--[[
  Settles a task whose answer never came and that ParameterKey can speak for
  (TR-069 A6 3.3.2: the device's ParameterKey becomes the argument of the last
  successful SetParameterValues, AddObject or DeleteObject).
]]
local function verify(c, w, reported, keeps)
    local task = task_of(c, w)
    if not task then
        return
    end
    local made = w.instance ~= '' and w.instance or nil
    if reported == w.key and w.before ~= w.key then
        if w.method == 'AddObject' and not made then
            return awaited(c, w, 'lost', { fault = reason_json(
                   'the object was added (ParameterKey says so), but the '
                   .. 'answer with its instance number was lost') })
        end
        local work = several.load_work(c, w.id, w.method)
        if work and work.applied then
            w.work = work
            local response = several.part_applied(c, w, nil, 'ParameterKey')
            if response then
                return awaited(c, w, 'done', { response = response })
            end
            no_longer_waits(c, w)
            return several.requeue(c, w, task, '')
        end
        return awaited(c, w, 'done', { response = '{' .. (made
               and '"InstanceNumber":' .. made .. ',' or '')
               .. '"verified":"ParameterKey"}' })
    end
    if made then
        return awaited(c, w, 'lost', { response = half_made(w),
               fault = reason_json('the object was added as instance ' .. made
                                   .. ', its values may be missing') })
    end
    local disproved = reported and reported ~= w.key and keeps
    if disproved or task.retry or w.method == 'SetParameterValues' then
        no_longer_waits(c, w)
        return send_again(c, w, task, not disproved and not task.retry
                                      and 'verify' or nil, disproved)
    end
    awaited(c, w, 'lost', { fault = reason_json('sent, but the session ended '
            .. 'before the answer, and ParameterKey cannot tell whether it '
            .. 'was done') })
end

-- does this Inform bring the event that the task waits for?
local function has_event(w, m, f)
    for i = 1, #f.list, 2 do
        if f.list[i] == m.event and trimmed(f.list[i + 1]) == trimmed(w.key)
        then
            return f.list[i]
        end
    end
    if m.event == 'M Reboot' and w.answered then
        -- a CPE that has booted, but forgot the CommandKey
        return f.codes['1']
    end
    return m.event == '0' and f.codes['0'] or nil
end

-- An entry of waiting, and its row; a damaged one ends here.  Its task may be
-- large, and is looked at only when it is to be settled.
local function load_waiting(c, id, entry)
    local w = decode(entry)
    if w and w.id == id and METHODS[w.method]
       and type(w.key) == 'string' and type(w.before) == 'string'
       and type(w.instance) == 'string' and tonumber(w.sent)
       and tonumber(w.attempts) and tonumber(w.score)
       and type(w.deadline) == 'number'
       and call('HEXISTS', c.k[LIVE], id) == 1
    then
        return w, METHODS[w.method]
    end
    no_longer_waits(c, { id = id })
    finish(c, id, 'lost', { fault = reason_json(
           'its entry in waiting was damaged') })
end

-- May it be sent again although it may have been done?  Entries of before tell
-- nothing of it.
function several.may_repeat(c, w)
    if w.retry == nil then
        local task = load_task(c, w.id)
        w.retry = task ~= nil and task.retry == true
    end
    return w.retry
end

function several.repeated(c, w)
    local task = task_of(c, w)
    if task then
        no_longer_waits(c, w)
        send_again(c, w, task)
    end
end

-- What waits when the CPE was reset; unless this Inform tells more of it.
local function forgotten(c, w, m, f)
    if f.codes[ANNOUNCED[m.event]] then
        return
    end
    if m.lost == 'verify' and f.reported == w.key and w.before ~= w.key then
        return verify(c, w, f.reported, f.keeps)
    end
    if not w.answered and several.may_repeat(c, w) then
        return several.repeated(c, w)
    end
    awaited(c, w, 'lost', { fault = reason_json(FORGOTTEN) })
end

local function inform_waiting(c, f)
    local all = call('HGETALL', c.k[WAITING])
    f.keeps = all[1] and call('HGET', c.k[DEVICE], 'keeps')
    for i = 1, #all, 2 do
        local w, m = load_waiting(c, all[i], all[i + 1])
        local code = w and has_event(w, m, f)
        if not w then
            -- it ended
        elseif code then
            awaited(c, w, 'done',
                    { response = '{"event":' .. quote(code) .. '}' })
        elseif f.resets then
            forgotten(c, w, m, f)
        elseif m.lost == 'verify' then
            verify(c, w, f.reported, f.keeps)
        elseif not w.answered and not f.codes[ANNOUNCED[m.event]]
               and several.may_repeat(c, w)
        then
            several.repeated(c, w)
        end
    end
end

-- Tasks that wait for this RPC of the CPE with this CommandKey, but for blanks
-- around it, or with any; what was sent first comes first.
local ANY = {}

local function waiting_for(c, name, key)
    local all, exact, near = call('HGETALL', c.k[WAITING]), {}, {}
    local bare = key ~= ANY and trimmed(key)
    for i = 1, #all, 2 do
        local w, m = load_waiting(c, all[i], all[i + 1])
        if w and m.event == name then
            if key == ANY or w.key == key then
                exact[#exact + 1] = w
            elseif trimmed(w.key) == bare then
                near[#near + 1] = w
            end
        end
    end
    local found = exact[1] and exact or near
    table.sort(found, function(a, b)
        local first, second = tonumber(a.sent) or 0, tonumber(b.sent) or 0
        if first == second then     -- in one millisecond: in order
            first, second = tonumber(a.score) or 0, tonumber(b.score) or 0
        end
        return first < second
    end)
    return found
end

-- After a reset, and with the quirk transferComplete, a firmware's installation
-- shows by another SoftwareVersion only.  It is that of the first that waits.
local function installed(c, f)
    local version, first = f.version, nil
    local alone = f.resets and not f.codes[ANNOUNCED.TransferComplete]
    if version == '' or not alone and quirk(c, 'transferComplete') ~= false then
        return
    end
    for _, w in ipairs(waiting_for(c, 'TransferComplete', ANY)) do
        if (w.before or '') == '' or w.before == version then
            -- no firmware, or nothing is known, or nothing has changed
        elseif not first then
            first = w
            awaited(c, w, 'done',
                    { response = '{"verified":"SoftwareVersion"}' })
        else
            w.before = version
            call('HSET', c.k[WAITING], w.id, cjson.encode(w))
        end
    end
end

-- The quirk commandKey: the CPE gives another one than it was told.  It is
-- taken for that of what it accepted last.
local function accepted_last(c, name, key)
    if quirk(c, 'commandKey') ~= false then
        return nil
    end
    local last
    for _, w in ipairs(waiting_for(c, name, ANY)) do
        last = w.answered and w or last
    end
    if last then
        note(c, name .. ' with CommandKey '
                .. shown(several.shown_key(key), 64) .. ' is taken for that of '
                .. 'task ' .. last.id .. ': quirk commandKey')
    end
    return last
end

-- What is told of a task, without texts that may quote its secrets; without all
-- such texts where there is none, since it may have been of one that has ended.
function several.hushed_of(c, id, json)
    local _, task = load_task(c, id or '')
    return (not task or several.is_sensitive(task)) and several.hushed(json)
           or json
end

-- Is the RPC that this speaks of outstanding still?  It ends with its answer:
-- its task.  What is told again is not early: it is known.
local function is_early(c, name, key, code, json)
    local run = load_running(c)
    if not run or METHODS[run.method].event ~= name
       or trimmed(run.key) ~= trimmed(key)
    then
        return false
    end
    local early = (code == '0' and 'done ' or 'fault ')
                  .. several.hushed_of(c, run.id, json)
    if run.early == early then
        return nil
    end
    call('HSET', c.k[RUNNING], 'early', early)
    note(c, name .. ' before the ' .. run.method .. 'Response: task '
            .. run.id .. ' ends with that')
    return run.id
end

-- Was this of no living task told before?  The device has the last few: a CPE
-- tells it again until it knows that it was heard.
function several.is_told(c, name, key, json)
    local mark = string.sub(redis.sha1hex(name .. '\t' .. key .. '\t' .. json),
                            1, 16)
    local told = call('HGET', c.k[DEVICE], 'told') or ''
    if string.find(told, mark, 1, true) then
        return true
    end
    call('HSET', c.k[DEVICE], 'told',
         string.sub(mark .. ' ' .. told, 1, 17 * TOLD_LAST))
    return false
end

-- A CommandKey that no task has, for people: it may be a URL with a user.
function several.shown_key(key)
    return (string.gsub(key, '(://)[^%s/?#\'"<>]+@', '%1(hidden)@'))
end

-- What the ACS asked for is over: CommandKey, FaultCode, JSON of the whole.  It
-- is told, by tell(), once.
local function completed(c, name, key, code, json, tell)
    local w = waiting_for(c, name, key)[1]
    local early = nil
    if not w then
        early = is_early(c, name, key, code, json)
        w = early == false and accepted_last(c, name, key)
    end
    local known = several.is_told(c, name, key, json)
    json = several.hushed_of(c, w and w.id or early, json)
    if w or early or not known then
        tell(json)
    end
    if w then
        awaited(c, w, code == '0' and 'done' or 'fault',
                { [code == '0' and 'response' or 'fault'] = json })
    elseif early == false then
        note(c, name .. (known and ' told again' or ' for no task that waits')
                .. ', CommandKey ' .. quote(several.shown_key(key)))
    end
end

-- the CPE tells no more of a transfer that it has cancelled
local function cancelled(c, name, key)
    for _, w in ipairs(waiting_for(c, name, key)) do
        awaited(c, w, 'cancelled', { answered = true, fault = reason_json(
                'the CPE has cancelled the transfer: CancelTransfer') })
    end
end

-- what others may want to read: bounded, since a CPE says it
local function told(json)
    return #json <= TOLD_MAX and json or '{"truncated":true}'
end

--[[
  Requests of CPEs that mean more than their response: what they bring to
  events, and which tasks they end.  CommandKey, FaultCode (of several results
  the first that is not 0), JSON of the whole.
]]
local REQUESTS = {
    TransferComplete = function(c, key, code, json)
        completed(c, 'TransferComplete', key, code, json, function()
            event(c, 'transfer', 'commandkey', several.shown_key(key), 'fault',
                  code)
        end)
    end,
    DUStateChangeComplete = function(c, key, code, json)
        completed(c, 'DUStateChangeComplete', key, code, json, function(text)
            event(c, 'dustate', 'commandkey', several.shown_key(key), 'fault',
                  code, 'request', told(text))
        end)
    end,
    AutonomousTransferComplete = function(c, _, code, json)
        event(c, 'autonomous transfer', 'fault', code, 'request', told(json))
    end,
    AutonomousDUStateChangeComplete = function(c, _, code, json)
        event(c, 'autonomous dustate', 'fault', code, 'request', told(json))
    end,
    RequestDownload = function(c, _, _, json)
        event(c, 'request download', 'request', told(json))
    end,
    Kicked = function(c, _, _, json)
        event(c, 'kicked', 'request', told(json))
    end,
}
