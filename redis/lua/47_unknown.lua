-- Devices that nobody announced: what becomes of their Inform, and how many of
-- them may come.

--[[
  A device is known once its record has "first".  Before that the record may
  have a "state", and the device an entry in the index of that name:

    quarantine  it has informed, and awaits an admin's word: since, last
                (contact), address, manufacturer, oui, class, version.  All of
                it goes when it is approved, and its next Inform registers it
    announced   an admin has named it (since): it is taken, whatever the rule
    denied      an admin has refused it (since): so is it, whatever the rule

  c.rule is the caller's, of an Inform: "MODE TOTAL", and " first" when its user
  is many devices'.  MODE is accept, quarantine, refuse, or announced: of a
  device that has a user of its own, whose name its field "own" has.  TOTAL new
  ones of this partition may come in a minute; 0: none of this source may, now.
  Devices that are known pay nothing for all this, and are not counted.

  unknown: of this minute, how many came (new).
]]

several.states = { quarantine = true, announced = true, denied = true }

do

local HELD = { 'state', 'since', 'last', 'address', 'manufacturer', 'oui',
               'class', 'version' }

-- nodes do not name it: few devices need it, and it is in their slot
local function shared(c, name)
    return string.sub(c.k[SEEN], 1, -11) .. name
end

--[[
  Events that strangers can make as often as they like: of a partition so many
  are told at once, then one in so many seconds.  KEY, the partition's hash
  refusals, has for each kind, by its suffix: full, up to when such events are
  told already (in Unix seconds), and omitted.  now: Redis' second; more: how many
  the caller has left out.
]]
several.rare = { ['auth failure'] = { 20, 60, '' },
                 refused = { 10, 6, ' refused' },
                 quarantine = { 1000, 6, ' quarantine' } }

function several.tell(c, key, kind, now, more, told)
    local rare = several.rare[kind]
    local each, most = rare[2], rare[1] * rare[2]
    local got = call('HMGET', key, 'full' .. rare[3], 'omitted' .. rare[3])
    local full, omitted = tonumber(got[1]) or 0, (tonumber(got[2]) or 0) + more
    if not (full >= now and full <= now + most) then    -- or the clock was set
        full = now                                      -- back, or it is spoilt
    end
    if full + each > now + most then
        call('HSET', key, 'omitted' .. rare[3], omitted + 1)
        return false
    end
    call('HSET', key, 'full' .. rare[3], full + each, 'omitted' .. rare[3], 0)
    if omitted > 0 then
        told[#told + 1] = 'omitted'
        told[#told + 1] = omitted
    end
    event(c, kind, unpack(told))
    return true
end

-- one more of this minute, unless there are too many: how many now, or nil
local function one_more(c, most)
    local key, minute = shared(c, 'unknown'), math.floor(c.now / 60000)
    local is = hash_fields(key, { 'minute', 'new' })
    local n = tonumber(is.minute) == minute and tonumber(is.new) or 0
    n = n >= 0 and n or 0               -- NaN, too
    if n >= most then
        return nil
    end
    call('HSET', key, 'minute', minute, 'new', n + 1)
    return n + 1
end

local function tell(c, kind, ...)
    return several.tell(c, shared(c, 'refusals'), kind, math.floor(c.now / 1000),
                        0, { ... })
end

-- Its state is none any more, and what belongs to that is gone.  stays: but what
-- its user has used, or who has overheard it would be let in once it is approved.
function several.no_state(key, index, id, stays)
    local is = redis.pcall('HMGET', key, 'first', 'state')
    if not is.err and not is[1] and is[2] then
        call('HDEL', key, unpack(HELD))
        if not stays then
            call('HDEL', key, 'nonces')
        end
    elseif not is.err then
        call('HDEL', key, 'state', 'since')
    end
    call('ZREM', index, id)
end

-- an admin's word, or its own first contact
function several.set_state(c, state, ...)
    if c.state then
        several.no_state(c.k[DEVICE], shared(c, 'index:' .. c.state), c.id, true)
    end
    c.state = state
    if state then
        call('HSET', c.k[DEVICE], 'state', state, 'since', c.when, ...)
        call('ZADD', shared(c, 'index:' .. state), c.when, c.id)
    end
end

-- Who has been silent for longest goes, when there are too many.
local function make_room(c)
    local index = shared(c, 'index:quarantine')
    local most = several.setting(shared(c, ''), 'strangers') or BOUND.strangers
    local over = call('ZCARD', index) - most
    for _, id in ipairs(over < 0 and {}
                        or call('ZRANGE', index, 0, math.min(over, SLICE)))
    do
        several.no_state(shared(c, id), index, id)
    end
end

local function refused(c, args, state)
    if tell(c, 'refused', 'state', state, 'address', args[10]) then
        note(c, 'it is ' .. state .. ', and is refused')
    end
    return { 'denied', c.notes, state }
end

-- Room for a new one?  The last of a minute says so.
local function may_come(c, total)
    local n = total > 0 and one_more(c, total)
    if n == total then
        note(c, 'is the last one that nobody announced to come in this minute '
                .. '(cwmp_unknown total=): others get 503 for the rest of it')
    end
    return n
end

-- All that is kept of it, until an admin approves it.
local function hold(c, args, last, total)
    local reply = several.refusal(c)
    if reply then
        return reply
    end
    reply = { 'inform', c.notes, args[2], '' }
    local gap = last and c.when - last
    if gap then
        several.spend(c)
    end
    if gap and gap >= 0 and gap < BOUND.near then
        return reply
    elseif last then
        call('HSET', c.k[DEVICE], 'last', c.when)
        call('ZADD', shared(c, 'index:quarantine'), c.when, c.id)
        return reply
    elseif not may_come(c, total) then
        return { 'later', c.notes, 'new' }
    end
    make_room(c)
    local told = cmsgpack.unpack(args[11])
    local function field(i)                 -- as people may see it
        return (string.gsub(string.sub(told[i] or '', 1, BOUND.held),
                            '[^\32-\126]', '?'))
    end
    several.set_state(c, 'quarantine', 'last', c.when, 'address', args[10],
                      'manufacturer', field(1), 'oui', string.upper(field(2)),
                      'class', field(3), 'version', field(6))
    several.spend(c)
    if tell(c, 'quarantine', 'address', args[10]) then
        note(c, 'is new: in quarantine until an admin approves it (cwmp-device '
                .. 'approve)')
    end
    reply[5] = 'new'
    return reply
end

-- An Inform of a device that has never been taken: its reply when it is not
-- taken now.
function several.unknown(c, args)
    local is = hash_fields(c.k[DEVICE], { 'first', 'state', 'last' })
    if is.first then
        return nil
    end
    c.state = several.states[is.state] and is.state or nil
    local mode, total = string.match(c.rule or '', '^(%a+) (%d+)')
    if c.state == 'denied' or mode == 'refuse' and c.state ~= 'announced' then
        return mode and refused(c, args, c.state or 'unknown')
               or { 'later', c.notes }
    elseif c.state == 'announced' or mode == 'announced' then
        return nil
    elseif mode == 'quarantine' then
        return hold(c, args, c.state and tonumber(is.last) or nil,
                    tonumber(total))
    elseif not mode then            -- an older node knows no quarantine
        return c.state and { 'later', c.notes } or nil
    elseif not may_come(c, tonumber(total)) then
        return { 'later', c.notes, 'new' }
    end
    c.new = 'new'
    return nil
end

-- It came with a user of its own: from now on those of many are none of it.
function several.has_own(c)
    return c.rule and string.find(c.rule, '^announced') ~= nil
end

-- Credentials that many devices share open no session of one that has its own.
function several.outgrown(c)
    if not c.rule or not string.find(c.rule, ' first', 1, true)
       or call('HEXISTS', c.k[DEVICE], 'own') == 0
    then
        return nil
    end
    return { 'denied', c.notes, 'first' }
end

-- What a device in quarantine asks for is answered, and nothing comes of it.
function several.in_quarantine(c)
    local is = hash_fields(c.k[DEVICE], { 'first', 'state' })
    return is.state == 'quarantine' and not is.first
end

-- which key of these is not what it must be: said by name
function several.check_unknown(c)
    for name, kind in pairs({ unknown = 'hash', refusals = 'hash',
                              ['index:quarantine'] = 'zset',
                              ['index:announced'] = 'zset',
                              ['index:denied'] = 'zset' })
    do
        local is = call('TYPE', shared(c, name)).ok
        if is ~= kind and is ~= 'none' then
            error({ err = 'ERR ' .. shared(c, name) .. ' is a ' .. is
                          .. ', but must be a ' .. kind
                          .. ': rename or delete it' })
        end
    end
end

end
