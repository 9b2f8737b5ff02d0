-- A task from the inbox to the queue, and its one end: a result.  What its RPC
-- means is a row of METHODS; what goes on with it in a session is not known here.

--[[
  live: id -> "QUEUED-MS JSON"; besides "=a ID" -> how often it was sent,
  "=p ID" -> its phase, "=v ID" -> how often it was read back, "=s ID" -> when
  it was sent last, "=u ID" -> 1 when what it did then is unknown, "=w ID" ->
  the event that it waits for, "=l ID" and "=r ID" -> the progress of a task of
  several messages (below), and "=k COMMANDKEY" -> id.  queue: id by order.
  A task that may not run yet sits above LATER, at LATER + its time (notBefore)
  in ms, or above AFTER, until an Inform brings its event.
]]

-- what a CPE echoes of the task: its CommandKey (TR-069 limits it to 32)
local function command_key(id, task)
    local m = METHODS[task.method]
    if type(task.CommandKey) == 'string' and task.CommandKey ~= ''
       and not (m and m.cancels)
    then
        return task.CommandKey
    end
    if #id <= 32 then
        return id
    end
    return string.sub(redis.sha1hex(id), 1, 32)
end

-- what is sent as ParameterKey; that of an AddObject whose values follow
-- differs from theirs, so that each of the two can be told from the other
local function parameter_key(id, task, phase)
    if type(task.ParameterKey) == 'string' and task.ParameterKey ~= '' then
        return task.ParameterKey
    end
    local key = command_key(id, task)
    if task.method == 'AddObject' and task.values and phase == '' then
        return (#key < 32 and key or string.sub(redis.sha1hex(key), 1, 31))
               .. '+'
    end
    return key
end

-- a task, its JSON, and when it was queued; the last one is kept
local function load_task(c, id)
    local last = c.last
    if not last or last.id ~= id then
        local entry = call('HGET', c.k[LIVE], id)
        if not entry then
            return nil
        end
        local queued, json = string.match(entry, '^(%d+) (.*)$')
        last = { id = id, task = decode(json or '') or {}, json = json or '',
                 queued = tonumber(queued) }
        c.last = last
    end
    return last.task, last.json, last.queued
end

local several = {}                  -- (Lua takes 200 locals in a file)

-- What names of secrets have in them, in lower case and without _, - and digits:
-- what C knows as one (core/cwmp_sensitive.c) has one of these; a name that has
-- one may be none.
several.SENSITIVE = { 'pass', 'pwd', 'secret', 'psk', 'pin"', 'puk"', 'wepkey',
                      'wpakey', 'wpskey', 'presharedkey', 'privatekey',
                      'prikey', 'encryptionkey', 'sharedkey', 'securitykey',
                      'radiuskey', 'authkey', 'initkey', 'clientkey', 'appkey',
                      'keyvalue', 'privatecredential', 'networkkey',
                      'accesskey', 'wlankey', 'wifikey', 'token', 'psw',
                      'challenge..value', 'challenge."', 'challenge.[',
                      'username"', '@', '.key"', '"key"', 'pincode"', 'pukcode"', 'apikey',
                      'masterkey' }

-- may this JSON have a secret?  (An escape may spell anything.)
function several.is_sensitive(json)
    if #json > 4 * TASK_BYTES then          -- no task of ours
        return true
    end
    local text = string.lower((string.gsub(json, '[_%d-]', '')))
    for _, word in ipairs(several.SENSITIVE) do
        if string.find(text, word, 1, true) then
            return true
        end
    end
    return string.find(json, '\\u00[2-7]') ~= nil
end

-- of what TR-069's own fault texts are made
several.PLAIN = ' a access and arguments argument attempt authentication be '
    .. 'cannot complete contact corrupted denied download error exceeded '
    .. 'failed failure file for group in incorrect internal invalid is join '
    .. 'method multicast name no non nonwritable not notification of only or '
    .. 'parameter parameters protocol read rejected request resources server '
    .. 'set supported the to transfer type unable unknown unsupported upload '
    .. 'value values with within writable wrong '

-- A fault of a task that has secrets, which its text may quote: it stays when no
-- word of it can be one.  So does a name that looks like one.
function several.hushed(json)
    local escaped = string.gsub(string.gsub(json, '\\\\', '\1'), '\\"', '\2')
    return (string.gsub(escaped, '"FaultString":"([^"]*)"', function(text)
        for word in string.gmatch(text, '[^%s.,:;/-]+') do
            if not string.find(several.PLAIN, ' ' .. string.lower(word) .. ' ',
                               1, true)
            then
                return '"FaultString":"(hidden)"'
            end
        end
    end):gsub('"ParameterName":"([^"]*)"', function(name)
        return (string.find(name, '[^%w%._:#{}%[%]*-]')
                or not string.find(name, '.', 1, true))
               and '"ParameterName":"(hidden)"' or nil
    end):gsub('"FaultCode":"([^"]*)"', function(code)
        return string.find(code, '%D') and '"FaultCode":"(hidden)"' or nil
    end):gsub('\2', '\\"'):gsub('\1', '\\\\'))
end

-- Tasks that may lie in live as they were pushed: a node with a key seals what is
-- secret in them in the next step.  Those that there is no room for it seals
-- when it sends them.
function several.is_clear(c, id, json)
    if c.seals == false or string.find(json, '"s1%.%x+%.%x')
       or not several.is_sensitive(json)
    then
        return
    end
    local list = call('HGET', c.k[DEVICE], 'clear') or ''
    if #list < BOUND.clear then
        call('HSET', c.k[DEVICE], 'clear', list .. ' ' .. id)
    end
end

-- results are kept by number and by age

function several.trim(c)
    call('XTRIM', c.k[RESULTS], 'MINID',
         string.format('%.0f', c.now - BOUND.results * 1000))
end

local function write_result(c, r)
    call('XADD', c.k[RESULTS], 'MAXLEN', '~', RESULTS_MAX, '*', 'id', r.id,
         'method', r.method or '', 'status', r.status, 'fault', r.fault or '',
         'response', r.response or '', 'queued', seconds(r.queued or c.now),
         'sent', r.sent and seconds(r.sent) or '', 'ended', seconds(c.now))
    event(c, 'task', 'id', r.id, 'method', r.method or '', 'status', r.status)
end

-- an id without its task ends, too
function several.vanished(c, id)
    write_result(c, { id = id, status = 'lost', fault = reason_json(
                 'its entry in live was gone') })
    several.drop(c, id, {})
end

-- Status of an object and of its values: 1 when one of them is only active later
function several.worst(run, status)
    return math.max(tonumber(run.made) or 0, tonumber(status) or 0)
end

-- Progress of a task: parts of its list as { FROM, TO }; those of what a read
-- is to do also as names { n = ... }, or as a path whose next level is listed
-- first, { l = PATH }.
function several.are_parts(list, names)
    for _, p in ipairs(type(list) == 'table' and list or {}) do
        if type(p) ~= 'table' then
            return false
        elseif names and type(p.n) == 'table' then
            for _, name in ipairs(p.n) do
                if type(name) ~= 'string' then
                    return false
                end
            end
        elseif not (names and type(p.l) == 'string')
               and not (type(p[1]) == 'number' and type(p[2]) == 'number')
        then
            return false
        end
    end
    return list == nil or type(list) == 'table' and #list > 0
end

-- what a read has besides: names that failed, and how far it is
function several.is_read(w)
    for _, b in ipairs(type(w.bad) == 'table' and w.bad or {}) do
        if type(b) ~= 'table' or type(b[1]) ~= 'string' then
            return false
        end
    end
    return type(w.bad) == 'table' and type(w.left) == 'table'
           and type(w.rpcs) == 'number' and type(w.most) == 'number'
           and type(w.gen) == 'number'
end

-- nil when there is none, or when it was damaged
function several.load_work(c, id, method)
    local raw = call('HGET', c.k[LIVE], '=l ' .. id)
    local w = raw and decode(raw)
    local reads = (METHODS[method] or {}).reads
    if w and (w.left or w.reads) and several.are_parts(w.left, reads)
       and several.are_parts(w.reads)
       and (reads and several.is_read(w) or not reads
            and (w.applied == nil or type(w.applied) == 'number'
                                     and type(w.size) == 'number'))
    then
        return w
    end
end

-- the rows of several reads as those of one
function several.list_of(rows, w)
    return '{"ParameterList":[' .. (rows or '') .. ']'
           .. (w.cut and ',"count":' .. w.count .. ',"truncated":true' or '')
           .. '}'
end

-- what a task that does not end well did all the same; has it changed anything?
function several.so_far(c, id, method)
    local w = several.load_work(c, id, method)
    if not w then
        return nil, false
    elseif w.applied then
        return w.applied > 0 and '{"applied":' .. w.applied .. ',"of":'
               .. w.size .. '}' or nil, w.applied > 0
    end
    local rows = call('HGET', c.k[LIVE], '=r ' .. id)
    return w.count and several.list_of(rows, w), false
end

-- the device has it no longer
function several.drop(c, id, task)
    c.last = nil
    call('HDEL', c.k[LIVE], id, '=a ' .. id, '=p ' .. id, '=v ' .. id,
         '=s ' .. id, '=u ' .. id, '=w ' .. id, '=l ' .. id, '=r ' .. id,
         '=k ' .. command_key(id, task))
    call('ZREM', c.k[QUEUE], id)
    if task.expires then
        not_due(c, 'x', id)
    end
end

-- does it matter whether it was done, once it will not be sent again?
function several.changes(method)
    local m = METHODS[method] or {}
    return m.lost ~= 'again' or m.rpc ~= nil
end

-- the one end of a task that was accepted
local function finish(c, id, status, more)
    local task, json, queued = load_task(c, id)
    if not task then
        return several.vanished(c, id)
    end
    more = more or {}
    local known = METHODS[task.method]
    if more.fault and (known and known.rpc or several.is_sensitive(json)) then
        more.fault = several.hushed(more.fault)
    end
    local changed = false
    if not more.response then
        more.response, changed = several.so_far(c, id, task.method)
    end
    -- sent before, no answer, and not a mere read: who knows what it did
    if (status == 'expired' or status == 'cancelled') and not more.answered
       and several.changes(task.method)
       and (changed or more.sent
            or call('HGET', c.k[LIVE], '=u ' .. id) == '1')
    then
        more.fault = reason_json(status .. (changed
                                 and ', but the first parts of its list had '
                                     .. 'been applied before'
                                 or ', but it had been sent before, and the '
                                    .. 'session ended without an answer'))
        status = 'lost'
    end
    local sent = more.sent
    if not sent and not more.unsent then
        sent = tonumber(call('HGET', c.k[LIVE], '=s ' .. id))
    end
    write_result(c, { id = id, method = task.method, status = status,
                      fault = more.fault, response = more.response,
                      queued = queued, sent = sent })
    several.drop(c, id, task)
end

local function characters(s)
    return #(string.gsub(s, '[\128-\191]', ''))
end

local function whole(v, low, high)
    return type(v) == 'number' and v == math.floor(v) and v >= low
           and v <= high
end

-- fields of ours: what each may be, and what to say otherwise
local FIELDS = {
    { 'expires', 'a Unix time in seconds',
      function(v) return whole(v, 0, 1e11) end },
    { 'notBefore', 'a Unix time in seconds',
      function(v) return whole(v, 0, 1e11) end },
    { 'attempts', 'a whole number from 1 to 100',
      function(v) return whole(v, 1, 100) end },
    { 'after', 'an event such as 8, "8 DIAGNOSTICS COMPLETE" or "M Reboot"',
      function(v)
          if type(v) ~= 'string' then
              return whole(v, 0, 99999)
          end
          local _, code = event_code(string.sub(v, 1, 64))
          return #v <= 64 and (string.find(code, '^%d+$')
                               or string.find(code, '^[MX] ')) ~= nil
      end },
    { 'priority', 'true or false', function(v) return type(v) == 'boolean' end },
    { 'wake', 'true or false', function(v) return type(v) == 'boolean' end },
    { 'new', 'true or false', function(v) return type(v) == 'boolean' end },
    { 'retry', 'true or false', function(v) return type(v) == 'boolean' end },
    { 'note', 'a text of at most 256 bytes',
      function(v) return type(v) == 'string' and #v <= 256 end },
    { 'CommandKey', 'a text of at most 32 characters',
      function(v) return type(v) == 'string' and characters(v) <= 32 end },
}

local function is_id(v)
    return type(v) == 'string' and #v <= 64
           and string.find(v, '^[%w%._:%-]+$') ~= nil
end

-- those that an event ends by its CommandKey, or that name another's
local function has_command_key(m)
    return m.cancels or m.event and m.event ~= '0'
end

-- a task, or nil, the field, the reason
local function parse_task(json)
    if #json > TASK_BYTES then
        return nil, 'task', 'is longer than ' .. TASK_BYTES .. ' bytes'
    end
    local task, why = decode(json)
    if not task then
        return nil, 'task', why
    end
    if type(task.method) ~= 'string' then
        return nil, 'method', 'is missing, or is not a text', task
    end
    if not METHODS[task.method] then
        return nil, 'method', 'unknown method ' .. shown(task.method, 64),
               task
    end
    if task.id ~= nil and not is_id(task.id) then
        return nil, 'id', 'is not a text of 1 to 64 of A-Z a-z 0-9 . _ : -'
               .. (type(task.id) == 'string' and ': ' .. shown(task.id, 100)
                   or ''), task
    end
    if task.CommandKey ~= nil and not has_command_key(METHODS[task.method]) then
        return nil, 'CommandKey', 'is no field of this task', task
    end
    for _, f in ipairs(FIELDS) do
        local v = task[f[1]]
        if v ~= nil and not f[3](v) then
            return nil, f[1], 'is not ' .. f[2], task
        end
    end
    return task
end

-- A number that no other task of this device has.  Where its record was lost, and
-- its tasks were not, one that none of them has reached.
function several.number(c)
    local n = call('HINCRBY', c.k[DEVICE], 'order', 1)
    if n == 1 and call('EXISTS', c.k[LIVE]) == 1 then
        n = call('HINCRBY', c.k[DEVICE], 'order', math.floor(c.now / 1000))
    end
    return n
end

-- the same, and an id made of it
local function next_number(c)
    local n = several.number(c)
    return n, string.format('t%x-%d', c.now, n)
end

-- Of a second's tasks each has its place: those of one notBefore, in their order,
-- are at its milliseconds, which it has not.
function several.place_later(c, second)
    local from = LATER + second * 1000
    local last = call('ZREVRANGEBYSCORE', c.k[QUEUE],
                      string.format('%.0f', from + 999),
                      string.format('%.0f', from), 'WITHSCORES', 'LIMIT', 0,
                      1)[2]
    return last and math.min(last + 1, from + 999) or from
end

-- where the task stands in the queue, once nothing but time holds it back
local function place(c, task, order)
    local score = order or several.number(c)
    if task.notBefore and task.notBefore * 1000 > c.now then
        score = several.place_later(c, task.notBefore)
    elseif task.priority then
        score = URGENT + score
    end
    return string.format('%.0f', score)
end

-- Gives the task an id and a place in the queue: nil when refused.
local function accept(c, task, json)
    local id = task.id
    if id and call('HEXISTS', c.k[LIVE], id) == 1 then
        return nil, 'id', 'a task of the id ' .. id .. ' lives'
    end
    local order, made = next_number(c)
    id = id or made
    local key = command_key(id, task)
    if call('HSETNX', c.k[LIVE], '=k ' .. key, id) == 0 then
        return nil, 'CommandKey', 'a task of this CommandKey lives'
    end
    call('HSET', c.k[LIVE], id, c.now .. ' ' .. json)
    several.is_clear(c, id, json)
    call('HDEL', c.k[DEVICE], 'free')
    call('HDEL', c.k[SESSION], 'f')
    c.free = false
    c.last = { id = id, task = task, json = json, queued = c.now }
    local score
    if task.after then
        call('HSET', c.k[LIVE], '=w ' .. id,
             (select(2, event_code(tostring(task.after)))))
        score = string.format('%.0f', AFTER + order)
    end
    call('ZADD', c.k[QUEUE], score or place(c, task, order), id)
    if task.expires then
        due(c, 'x', id, task.expires * 1000)
    end
    return id
end

-- What may be shown of such a text; what is no JSON may have no quotes.
function several.told_of(json, task)
    local text = string.sub(json, 1, 1000)
    return (several.is_sensitive(text) or not task
            and several.is_sensitive((string.gsub(text, '[^%w.]', '"'))))
           and '"(hidden)"' or shown(json, 200)
end

-- The result of what was never accepted has an id that no living task has.
local function reject(c, json, task, field, reason)
    local id, method
    local _, made = next_number(c)
    if task then
        id = is_id(task.id) and task.id or nil
        if id and call('HEXISTS', c.k[LIVE], id) == 1 then
            if field ~= 'id' then
                reason = reason .. '; a task of the id ' .. id .. ' lives'
            end
            id = nil
        end
        method = type(task.method) == 'string'
                 and string.match(task.method, '^[%w_]+$')
                 and string.sub(task.method, 1, 64) or nil
    end
    write_result(c, { id = id or made, method = method,
                      status = 'rejected', fault = reason_json(reason, field),
                      response = several.told_of(json, task) })
    note(c, 'task ' .. (id or made) .. ' rejected: ' .. field .. ': '
            .. reason)
end

local function room(c)              -- for tasks, of those that may live
    return QUEUE_MAX - call('ZCARD', c.k[QUEUE]) - call('HLEN', c.k[WAITING])
end

-- From the inbox to the queue; true when something is left in the inbox.
local function intake(c, most)
    for _ = 1, math.min(most, room(c)) do
        if (c.taken or 0) >= INTAKE_BYTES then
            return true
        end
        local json = redis.pcall('LPOP', c.k[TASKS])
        if not json then
            return false
        end
        if type(json) == 'table' then
            note(c, c.k[TASKS] .. ' is not a list: delete it, and RPUSH tasks')
            return false
        end
        c.taken = (c.taken or 0) + #json
        local task, field, reason, bad = parse_task(json)
        local id
        if task then
            id, field, reason = accept(c, task, json)
        end
        if not id then
            reject(c, json, task or bad, field, reason)
        end
    end
    return true
end

-- Those whose notBefore has come join the queue's end; as many as may be decoded
-- in a step, the others in the next one.
local function ripen(c)
    local ripe = call('ZRANGEBYSCORE', c.k[QUEUE], LATER,
                      LATER + math.floor(c.now / 1000) * 1000 + 999,
                      'LIMIT', 0, SLICE)
    for _, id in ipairs(ripe) do
        if (c.ripened or 0) >= INTAKE_BYTES then
            return
        end
        local task, json = load_task(c, id)
        c.ripened = (c.ripened or 0) + #(json or '')
        call('ZADD', c.k[QUEUE], place(c, task or {}), id)
    end
end

-- so do those whose event this Inform brings; true when there is one
local function release(c, codes)
    local ids = call('ZRANGEBYSCORE', c.k[QUEUE], AFTER, '+inf', 'LIMIT', 0,
                     QUEUE_MAX)
    if #ids == 0 then
        return false
    end
    local names, found = {}, false
    for i, id in ipairs(ids) do
        names[i] = '=w ' .. id
    end
    for i, code in ipairs(call('HMGET', c.k[LIVE], unpack(names))) do
        if not code or codes[code] then
            call('HDEL', c.k[LIVE], names[i])
            -- as if its notBefore had come long ago
            call('ZADD', c.k[QUEUE], string.format('%.0f', LATER + i), ids[i])
            found = true
        end
    end
    if found then
        ripen(c)
    end
    return found
end

-- The session's field z, " NAME NAME ": what its log was told of those that wait.
-- Each name is told once, whatever number of tasks it is true of.
function several.was_told(c, name)
    c.told = c.told or call('HGET', c.k[SESSION], 'z') or ' '
    return string.find(c.told, ' ' .. name .. ' ', 1, true) ~= nil
end

function several.tell_once(c, name, text)
    if not several.was_told(c, name) and #c.told < BOUND.clear then
        c.told = c.told .. name .. ' '
        call('HSET', c.k[SESSION], 'z', c.told)
        note(c, text)
    end
end

-- What only a node with the key can send waits for one.  That a node has no key
-- at all is known here, and told by "-"; which one it has not it says itself, in
-- a call, and a POST has few: so the names of keys are kept, not those of tasks.
function several.waits_for(c, id, name, why)
    several.tell_once(c, name, 'task ' .. id .. ' waits for another node: '
                      .. why)
end

local function unescaped(json)
    return (string.gsub(json, '\\u00(%x%x)', function(hex)
        return string.char(tonumber(hex, 16))
    end))
end

-- by what it is known that waits: its method where that makes new credentials,
-- else the key that the node has named
function several.name_of_wait(id, task, key)
    return METHODS[task.method].rpc and task.method
           or string.match(key or '', '^%x+$') or '=' .. id
end

function several.must_wait(c, id, task, json)
    local rotates = METHODS[task.method].rpc
    json = unescaped(json)
    local sealed = string.find(json, '"s1%.%x%x%x%x%x%x%x%x%.')
    if not c.seals and (rotates or sealed) then
        several.waits_for(c, id, '-', 'it needs the key of cwmp_secret_key, '
                          .. 'which this one has not')
        return true
    elseif rotates then
        return several.was_told(c, task.method)
    end
    for key in string.gmatch(sealed and json or '',
                             '"s1%.(%x%x%x%x%x%x%x%x)%.')
    do
        if several.was_told(c, key) then
            return true
        end
    end
    return false
end

-- The next task that may run: id, its score, task, JSON, when it was queued.
local function pick(c)
    ripen(c)
    local from, passed = 0, 0           -- those that wait for another node
    while from < BOUND.passed and passed < INTAKE_BYTES do
        local head = call('ZRANGEBYSCORE', c.k[QUEUE], '-inf',
                          '(' .. string.format('%.0f', LATER), 'WITHSCORES',
                          'LIMIT', from, 1)
        if not head[1] then
            return nil
        end
        local task, json, queued = load_task(c, head[1])
        if not task then
            several.vanished(c, head[1])
        elseif not METHODS[task.method] then
            finish(c, head[1], 'lost', { fault = reason_json(
                   'its entry in live was damaged') })
        elseif task.expires and task.expires * 1000 <= c.now then
            if (c.expired or 0) >= BOUND.expired then
                return nil          -- the deadlines end them meanwhile
            end
            c.expired = (c.expired or 0) + #json
            finish(c, head[1], 'expired')
        elseif several.must_wait(c, head[1], task, json) then
            from, passed = from + 1, passed + #json
        else
            return head[1], head[2], task, json, queued
        end
    end
    several.tell_once(c, '*', from .. ' tasks wait for a key: those behind them '
                      .. 'wait, too')
end
