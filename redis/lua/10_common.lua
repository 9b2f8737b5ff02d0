#!lua name=cwmp
--[[
  The function library of the ACS: the state table of a session (TR-069 A6
  3.7.1, 3.7.2) and the life of a task live here, so that each step is atomic
  and any worker of any node may take the next one.

  The model.  A POST is one call of cwmp_step_2.  The caller has parsed the
  envelope into facts; this code decides and answers with a verb:

    inform TOKEN STYLE  send an InformResponse and this session's token
    answer STYLE      answer the CPE's request
    rpc ...           send this RPC (see rpc_reply)
    seal ...          seal these tasks, and come again (several.to_seal)
    end               nothing to send: 204
    unknown           no such session, or the token is another session's
    later             it informs without end: 503

  The second element of each answer is a list of notes for the caller's log.

  A task is in exactly one place: the inbox (a list that anybody may push to),
  the queue (a sorted set of ids), running (a hash: the one RPC outstanding),
  waiting (a hash: what waits for a later event), or it has one entry in
  results.  Its JSON stays in "live" from the inbox to the result, never
  re-encoded.  Redis' TIME is the only clock.

  The library is one text for Redis: the files of this folder, joined in the order
  of their names.  A part knows what stands before it.

  To add an RPC: a row in METHODS says what its loss and its response mean; its
  arguments are none of this file's business.

  Above maxmemory Redis refuses a call before it begins, never in its middle;
  those that must work then say so by a flag (allow-oom).

  Functions that nodes call carry the contract's number (_1): a change of
  arguments or of meaning makes a _2 beside it, so that nodes of two versions
  work side by side.  VERSION grows with what nodes may get of it, and
  never shrinks, also where two changes meet: t/cwmp.lua.sum lists them all.
]]

local VERSION = 8


-- positions in KEYS, the same for every function that works on a device
local DEVICE, PARAMS, TASKS, QUEUE, LIVE, RUNNING, WAITING, SESSION, RESULTS,
      DUE, EVENTS, SEEN, MODEL, SOFTWARE, QUIRKS, LEARNED, FIRST, WAKE =
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18

local SUFFIX = { '', ':params', ':tasks', ':queue', ':live', ':running',
                 ':waiting', ':session', ':results' }
local SHARED = { 'due', 'events', 'index:seen', 'index:model', 'index:version',
                 'quirks', 'model:', 'index:first', 'wake' }

-- states of a session (the CPE's turn, the ACS's turn, after our 204)
local CPE, ACS, CLOSING = '1', '2', '3'

local FORGOTTEN = 'sent, but the CPE has been reset since (0 BOOTSTRAP) and '
                  .. 'has forgotten it'
local GIVEN_UP = 1000               -- bytes of their IDs in a session
local STRAYS = 3                    -- answers that are not an RPC's
local VERIFIES = 3                  -- reads of what an interrupted task set
local SLICE = 1000                  -- what unpack() can take at once, safely
local INTAKE = 16                   -- inbox entries taken at once
local INTAKES = 8                   -- how often in a step, while none is good
local INTAKE_BYTES = 262144         -- of all that a step takes, about
local QUEUE_MAX = 1000              -- tasks of a device that live at once
local TASK_BYTES = 262144           -- of a task's JSON
local PARAMS_MAX = 200000           -- of a device
local PARAMS_BYTES = 67108864       -- of a device
local PARAM_BYTES = 64              -- of each beside its name and value, about
local RESULTS_MAX = 200             -- of a device
local SESSION_MS = 14400000         -- a session lasts, and what it may bring
local SESSION_BYTES = 268435456
local EVENTS_MAX = '100000'         -- of a partition; numbers cost more
local TOLD_MAX = 2048               -- of what a CPE says, in an event
local TOLD_LAST = 16                -- of what a CPE tells until it is heard
local SWEEP_AFTER = 32              -- completed reads
local SWEEP_ABOVE = 50000           -- parameters of a device: after each read
local SWEEP_BYTES = 2097152         -- of a slice, about
local SWEEPS = 4                    -- slices, when room is needed
local METHODS_MAX = 100             -- in the list of what a device can do
local QUIRKS_MAX = 500              -- rows of quirks in a partition
local QUIRKS_BYTES = 1024           -- of such a row
local MATCH_BYTES = 256             -- of what it is for
-- of tasks of several messages
local BOUND = {
    response = 65536,               -- bytes of what several reads gave
    work = 65536,                   -- bytes of what is left to do
    expired = 1048576,              -- of tasks that expired, in a step
    spare = 200,                    -- RPCs of a read that asks for less
    reads = 2000,                   -- RPCs of a read, whatever it is
    blamed = 50,                    -- names that a read may fail for
    groups = 32,                    -- reads of what is below a path
    learned = 200,                  -- things of a model
    alone = 20,                     -- of these by one device alone
    own = 100,                      -- paths of a device
    lasts = 2592000,                -- seconds that they are known: 30 days
    least = 8,                      -- names in a read
    none = 1e9,                     -- no bound
    seen = 900,                     -- seconds that the index of them is behind
    nonces = 32,                    -- of a device, of which counts are known,
    ahead = 5,                      -- seconds that a node's clock may be
    nonce = 600,                    -- for so many seconds
    clear = 1024,                   -- bytes of ids of tasks to be sealed
    passed = 100,                   -- tasks that wait for a key, before others
    results = 7776000,              -- seconds that they are kept: 90 days
    near = 5,                       -- seconds between Informs that count as
    burst = 1000,                   -- one upon the other: so many in
    window = 900,                   -- so many seconds
    strangers = 10000,              -- devices in quarantine, of a partition
    quarantine = 604800,            -- seconds of silence that end it: 7 days
    held = 64,                      -- bytes of what such a one says of itself
}

-- bands of the queue's scores; all of them exact in a double
local URGENT, LATER, AFTER = -1e12, 1e15, 2e15

--[[
  lost: what is done when the session ended with the RPC outstanding:
    again   it changes nothing: send it again
    verify  the next Inform's ParameterKey, or a read, says whether it was done
    event   the next sessions' events say whether it was done
  wait: the response is only half of it: for how many seconds (added to
  DelaySeconds) the event that ends it is awaited
  event: what ends it: the RPC of the CPE of that name with its CommandKey, or
  an event of an Inform, with the CommandKey when it starts with "M "
  closes: the session ends after its response (the CPE acts after the session)
  cancels: its CommandKey is that of other tasks, which its response ends
  wild: its names may have wildcards, if the device takes them
  rpc: what is sent, where that is another; what it sets is kept elsewhere

  "again" besides reads: SetParameterAttributes says what is to be, so that the
  second time changes nothing; nor does it to cancel what is cancelled, or to
  hand in a voucher of the same serial number, or to set the same passwords.
]]
local METHODS = {
    GetRPCMethods      = { lost = 'again', lists = true },
    GetParameterValues = { lost = 'again', reads = true, wild = true },
    GetParameterNames  = { lost = 'again', wild = true },
    SetParameterValues = { lost = 'verify', list = 'ParameterList' },
    AddObject          = { lost = 'verify', list = 'values' },
    DeleteObject       = { lost = 'verify' },
    Reboot             = { lost = 'event', event = 'M Reboot', wait = 1800,
                           closes = true },
    FactoryReset       = { lost = 'event', event = '0', wait = 3600,
                           closes = true },
    Download           = { lost = 'event', event = 'TransferComplete',
                           wait = 86400 },
    Upload             = { lost = 'event', event = 'TransferComplete',
                           wait = 86400 },
    ScheduleDownload   = { lost = 'event', event = 'TransferComplete',
                           wait = 86400 },
    -- a CPE has a day for it
    ChangeDUState      = { lost = 'event', event = 'DUStateChangeComplete',
                           wait = 90000 },
    ScheduleInform     = { lost = 'event', event = 'M ScheduleInform',
                           wait = 3600 },
    CancelTransfer     = { lost = 'again', cancels = 'TransferComplete' },
    GetQueuedTransfers     = { lost = 'again' },
    GetAllQueuedTransfers  = { lost = 'again' },
    SetParameterAttributes = { lost = 'again' },
    GetParameterAttributes = { lost = 'again', wild = true },
    SetVouchers        = { lost = 'again' },
    GetOptions         = { lost = 'again' },
    RotateCredentials  = { lost = 'again', rpc = 'SetParameterValues' },
}

--[[
  Events of an Inform (TR-069 A6 3.7.1.5).  CPEs misspell them; the number
  tells which it is.  What an event ends is in METHODS, what it starts is told
  by tasks ("after"); besides, it may have a duty:
    resets  the CPE has forgotten what it was told, and what it was to do
    values  the parameters that have changed are told in events
    light   a sign of life: with no other event the session is over at once
  To add an event: a row, the number being its index.
]]
local CODES = {
    [0] = { 'BOOTSTRAP', resets = true },
    { 'BOOT' },
    { 'PERIODIC' },
    { 'SCHEDULED' },
    { 'VALUE CHANGE', values = true },
    { 'KICKED' },
    { 'CONNECTION REQUEST' },
    { 'TRANSFER COMPLETE' },
    { 'DIAGNOSTICS COMPLETE' },
    { 'REQUEST DOWNLOAD' },
    { 'AUTONOMOUS TRANSFER COMPLETE' },
    { 'DU STATE CHANGE COMPLETE' },
    { 'AUTONOMOUS DU STATE CHANGE COMPLETE' },
    { 'WAKEUP' },
    { 'HEARTBEAT', light = true },
}

-- the event that says that this RPC of the CPE follows in the same session
local ANNOUNCED = { TransferComplete = '7', DUStateChangeComplete = '11' }

local call
call = function(...)                -- redis.call is not there at load time
    call = redis.call
    return call(...)
end


-- Text, as Redis gives and takes it: seconds, and six digits of the second.
local function clock()
    local t = call('TIME')
    return t[1], string.sub('00000', #t[2]) .. t[2]
end

local function seconds(ms)
    return string.format('%.3f', ms / 1000)
end

local function quote(s)             -- a JSON string
    return (string.gsub(cjson.encode(tostring(s)), '\\/', '/'))
end

-- somebody's bytes, for people: bounded, and nothing a terminal obeys
local function shown(s, most)
    return quote((string.gsub(string.sub(s, 1, most), '[^\32-\126]', '?')))
end

local function trimmed(s)           -- in linear time, also of blanks only
    local from = string.find(s, '%S')
    return from and string.match(s, '.*%S', from) or ''
end

-- An object, or nil and why not.  A null is as good as nothing.
local function decode(json)
    local ok, value = pcall(cjson.decode, json)
    if not ok then
        return nil, 'is not JSON: ' .. value
    end
    if type(value) ~= 'table' or not string.find(json, '^%s*{') then
        return nil, 'is not a JSON object'
    end
    for name, v in pairs(value) do
        if v == cjson.null then
            value[name] = nil
        end
    end
    return value
end

local function reason_json(reason, field)
    if field then
        return '{"field":' .. quote(field) .. ',"reason":' .. quote(reason)
               .. '}'
    end
    return '{"reason":' .. quote(reason) .. '}'
end

local function note(c, text)
    c.notes[#c.notes + 1] = text
end

-- What is told cannot be untold: a stream that takes no entry stops nothing.
local function event(c, kind, ...)
    local got = redis.pcall('XADD', c.k[EVENTS], 'MAXLEN', '~', EVENTS_MAX, '*',
                            'type', kind, 'device', c.id, ...)
    if type(got) == 'table' then
        if string.find(got.err, 'WRONGTYPE', 1, true) then
            error(got, 0)
        end
        note(c, 'event "' .. kind .. '" is not in ' .. c.k[EVENTS] .. ': '
                .. got.err)
    end
end

-- A function that takes a text apart as the pattern says, and remembers what
-- came of it: a few texts come again and again.
local function remembered(pattern)
    local known, n = {}, 0
    return function(text)
        local parts = known[text]
        if not parts then
            if n == 256 then
                known, n = {}, 0
            end
            parts, n = { string.match(text, pattern) }, n + 1
            known[text] = parts
        end
        return parts
    end
end

local SPELLED = {}                  -- CODES by what they are called
for n = 0, #CODES do
    CODES[n].number = n .. ''
    SPELLED[n .. ' ' .. CODES[n][1]] = CODES[n]
end

-- An EventCode as it should be spelled, what it is known by (its number, or all
-- of it), and its row.
local function event_code(text)
    local known = SPELLED[text]
    if known then
        return text, known.number, known
    end
    text = string.gsub(trimmed(text), '%s+', ' ')
    local number = string.match(text, '^%d+')
    if number then
        number = string.match(number, '^0*(%d.*)$')
        local row = CODES[tonumber(number)]
        return row and number .. ' ' .. row[1] or text, number, row
    end
    local kind, rest = string.match(text, '^([MXmx]) (.+)$')
    if kind then
        for name in pairs(METHODS) do
            rest = string.lower(name) == string.lower(rest) and name or rest
        end
        text = string.upper(kind) .. ' ' .. rest
        return text, text
    end
    for n = 0, #CODES do
        if CODES[n][1] == string.upper(text) then
            return n .. ' ' .. CODES[n][1], tostring(n), CODES[n]
        end
    end
    return text, text
end

-- What each key must be.  A wrong one is said by name before anything is
-- written: what a function wrote before an error stays.
local KINDS = { [DEVICE] = 'hash', [PARAMS] = 'hash', [QUEUE] = 'zset',
                [LIVE] = 'hash', [RUNNING] = 'hash', [WAITING] = 'hash',
                [SESSION] = 'hash', [RESULTS] = 'stream', [DUE] = 'zset',
                [EVENTS] = 'stream' }
local LENGTH = { hash = 'HLEN', zset = 'ZCARD', stream = 'XLEN' }

local function check_kinds(c, kinds)
    for i, kind in pairs(kinds) do
        local is = call('TYPE', c.k[i]).ok
        if is ~= kind and is ~= 'none' then
            error({ err = 'ERR ' .. c.k[i] .. ' is a ' .. is .. ', but must '
                          .. 'be a ' .. kind .. ': rename or delete it' })
        end
    end
end

-- A number that is none any more, after an error: which one a hand has spoilt.
-- Redis counts with whole ones of 64 bits only.
local function check_numbers(c)
    local whole = { 'gen', 'order', 'bytes', 'packed', 'reads', 'moved',
                    'indexed' }
    local function check(key, field, is)
        local value = call('HGET', key, field)
        if value and not (#value <= 18 and string.find(value, is)) then
            error({ err = 'ERR ' .. key .. ': field ' .. field
                          .. ' is no number: delete it' })
        end
    end
    for _, field in ipairs(whole) do
        check(c.k[DEVICE], field, '^%-?%d+$')
    end
    for _, field in ipairs({ 'first', 'seen', 'bootstrap' }) do
        check(c.k[DEVICE], field, '^%d+%.?%d*$')
    end
    for _, field in ipairs(call('HKEYS', c.k[LIVE])) do
        if string.find(field, '^=[avs] ') then
            check(c.k[LIVE], field, '^%d+$')
        end
    end
end

local function ask_lengths(c)       -- a number costs less than a type
    for i, kind in pairs(KINDS) do
        call(LENGTH[kind], c.k[i])
    end
end

local function check_keys(c)
    if not c.checked then
        c.checked = true
        if not pcall(ask_lengths, c) then
            check_kinds(c, KINDS)
        end
    end
end

local context, keys_of

do

-- A context's time is asked for when it is needed, and is then the same to the
-- end: now in ms, and as text second, us (six digits), and when: both.
local TIME = {
    __index = function(c, name)
        if name == 'when' then
            local s, us = clock()
            c.second, c.us, c.when = s, us, s .. '.' .. string.sub(us, 1, 3)
            return c.when
        elseif name == 'now' then
            c.now = string.gsub(c.when, '%.', '') + 0
            return c.now
        end
    end,
}

-- The keys of a device by their number, made of its hash's when they are asked
-- for: of most calls few are.
local KEYS = {
    __index = function(k, i)
        local suffix, key = SUFFIX[i], nil
        if suffix then
            key = k[DEVICE] .. suffix
        else
            key = string.sub(k[DEVICE], 1, -1 - #k.id) .. SHARED[i - #SUFFIX]
        end
        if i == LEARNED then
            key = key .. (string.match(k.id, '^(.*)%-') or '')
        end
        k[i] = key
        return key
    end,
}

function keys_of(device, id)
    return setmetatable({ device, nil, nil, nil, nil, nil, nil, nil, nil, nil,
                          nil, nil, nil, nil, nil, nil, nil, nil, id = id }, KEYS)
end

-- Where Redis is no Cluster, nodes name the device's hash only.
function context(keys, id)
    if not keys[2] then
        keys = keys_of(keys[1], id)
    end
    return setmetatable({ k = keys, id = id, notes = {}, q = '',
                          generation = false, free = false, none = false,
                          state = false, new = false, rule = false,
                          packed = false, auth = false, seals = nil,
                          second = nil, us = nil, when = nil }, TIME)
end

end

-- All keys of a device from the name of one of them, for the functions that
-- people call with that one name only; all of them live in its slot.
local function device_keys(key)
    local prefix, id = string.match(key, '^(.-:{%d+}:)([^:]+):?%a*$')
    if not id or not string.find(id, '^[A-Z0-9_%%]+%-[%w_%%]+$')
       and not string.find(id, '^[A-Z0-9_%%]+%-[%w_%%]+%-[%w_%%]+$')
    then
        return nil
    end
    return keys_of(prefix .. id, id), id
end

local function hash_fields(key, names)
    local got, t = call('HMGET', key, unpack(names)), {}
    for i, name in ipairs(names) do
        t[name] = got[i] or nil
    end
    return t
end
