-- What an Inform tells, and what is written of it: only what is new.

-- what only an Inform needs: Lua has 200 local variables in a block
local inform

do

local DEV = { 'first', 'manufacturer', 'oui', 'class', 'serial', 'root',
              'version', 'hardware', 'url', 'address', 'parameterkey', 'ns',
              'cwmp', 'informed', 'gen', 'keeps', 'lastkey', 'events',
              'retries', 'methods', 'quirks', 'quirksof', 'badurl' }

-- what is looked at in each Inform, and where it has a user as well
local KNOWN = { 'is', 'informed', 'events', 'indexed', 'free', 'seen', 'burst' }
local KNOWN_USER = { 'is', 'informed', 'events', 'indexed', 'free', 'seen',
                     'burst', 'own', 'nonces' }
local NOBODY = {}

-- what a reset makes untrue; :params as well
local RESET = { 'parameterkey', 'keeps', 'lastkey', 'methods', 'url', 'badurl',
                'informed', 'sweep', 'bytes', 'full', 'packed' }

local function index(c, key, old, new)
    if old then
        call('ZREM', c.k[key], string.gsub(old, '%c', '?') .. '\t' .. c.id)
    end
    call('ZADD', c.k[key], 0, string.gsub(new, '%c', '?') .. '\t' .. c.id)
end

--[[
  Does BOOTSTRAP stand here for a second time only?  A CPE lists it until it
  knows that it was delivered, some until a whole session went well.  It then
  says that it tries again; a ParameterKey that is gone, or a FactoryReset that
  was sent, speaks for another reset.
]]
local function is_repeated(c, f, d)
    local events = ',' .. (d.events or '') .. ','
    if f.retries == '0' or not string.find(events, ',0 BOOTSTRAP,', 1, true)
       or f.reported == '' and (d.parameterkey or '') ~= ''
       or call('HGET', c.k[RUNNING], 'method') == 'FactoryReset'
    then
        return false
    end
    for _, entry in ipairs(call('HVALS', c.k[WAITING])) do
        if string.find(entry, '"method":"FactoryReset"', 1, true) then
            return false
        end
    end
    return true
end

-- the device begins anew; its tasks: inform_waiting
local function reset(c, d)
    call('UNLINK', c.k[PARAMS])
    call('HDEL', c.k[DEVICE], unpack(RESET))
    for _, name in ipairs(RESET) do
        d[name] = nil
    end
    call('HSET', c.k[DEVICE], 'bootstrap', seconds(c.now))
end

-- no address of a CPE: this host, a network's own, or no single host
local function wrong_ip(a, b, c, d)
    for _, n in ipairs({ a, b, c, d }) do
        if n > 255 then
            return 'its host is no address'
        end
    end
    if a == 127 or a == 0 then
        return 'a loopback address'
    elseif a == 169 and b == 254 then
        return 'a link-local address'
    elseif a >= 224 then
        return 'the address of no single host'
    end
end

-- eight numbers of an IPv6 address, or nil
local function groups_of(text)
    local function list(part)
        local t = {}
        for group in string.gmatch(part, '[^:]+') do
            local n = #group <= 4 and tonumber(group, 16)
            if not n then
                return nil
            end
            t[#t + 1] = n
        end
        return t
    end
    -- its last two may be written as those of IPv4
    text = string.gsub(text, '(%d+)%.(%d+)%.(%d+)%.(%d+)$', function(a, b, c, d)
        return string.format('%x:%x', a * 256 + b, c * 256 + d)
    end)
    local head, tail = string.match(text, '^(.-)::(.*)$')
    local first, last = list(head or text), list(tail or '')
    if not first or not last or string.find(text, '::.*::')
       or string.find(text, ':::', 1, true) or string.find(text, '^:[^:]')
       or string.find(text, '[^:]:$')
       or #first + #last > (head and 7 or 8) or not head and #first ~= 8
    then
        return nil
    end
    while #first + #last < 8 do
        first[#first + 1] = 0
    end
    for _, n in ipairs(last) do
        first[#first + 1] = n
    end
    return first
end

local function wrong_ip6(text)
    local g = #text <= 45 and groups_of(text)
    if not g then
        return 'its host is no address'
    end
    local zeros = 0
    while zeros < 8 and g[zeros + 1] == 0 do
        zeros = zeros + 1
    end
    if zeros == 8 or zeros == 7 and g[8] == 1 then
        return 'a loopback address'
    elseif zeros >= 6 or zeros == 5 and g[6] == 65535 then      -- IPv4 in it
        return wrong_ip(math.floor(g[7] / 256), g[7] % 256,
                        math.floor(g[8] / 256), g[8] % 256)
    elseif g[1] >= 0xfe80 and g[1] <= 0xfebf then
        return 'a link-local address'
    elseif g[1] >= 0xff00 then
        return 'the address of no single host'
    end
end

local function wrong_host(host)
    local six = string.match(host, '^%[([%x:.]+)%]$')
    if six then
        return wrong_ip6(six)
    end
    host = string.lower((string.gsub(host, '%.$', '')))
    if host == '' then
        return 'no host'
    elseif #host > 253 or not string.find(host, '^[%w._-]+$')
           or string.find(host, '..', 1, true) or string.find(host, '^%.')
    then
        return 'its host is no name'
    elseif host == 'localhost' or string.find(host, '%.localhost$') then
        return 'a loopback address'
    end
    -- what ends with a number is an address, which has more forms than one
    if not string.find(host, '%f[^.%z]%d+$') and not string.find(host,
                       '%f[^.%z]0x%x*$')
    then
        return nil
    end
    local a, b, c, d = string.match(host, '^(%d+)%.(%d+)%.(%d+)%.(%d+)$')
    if not a or string.find('.' .. host, '%.0%d') then
        return 'its host is no address'
    end
    return wrong_ip(tonumber(a), tonumber(b), tonumber(c), tonumber(d))
end

-- why a ConnectionRequestURL is none that the ACS may go to; nil: it is one
local function wrong_url(url)
    if string.find(url, '[%c%s\127]') then
        return 'blanks or control characters in it'
    elseif string.find(url, '(null)', 1, true) then
        return 'no host'
    end
    local scheme, rest = string.match(url, '^(%a[%w+.-]*)://([^/?#]*)')
    scheme = scheme and string.lower(scheme)
    if scheme ~= 'http' and scheme ~= 'https' then
        return 'neither http nor https'
    elseif string.find(rest, '[@\\]') then
        return 'more than a host and a port'
    end
    local host, port = string.match(rest, '^(.-):(%d*)$')
    if port and port ~= '' and not (#port <= 5 and tonumber(port) >= 1
                                    and tonumber(port) <= 65535)
    then
        return 'port ' .. string.sub(port, 1, 8)
    end
    return wrong_host(host or rest)
end

-- Without the user of one that cannot be used: all that is before an @, since a
-- password may have in it what would end a host.
function several.shown_url(url)
    local scheme = string.match(url, '^%a[%w+.-]*://') or ''
    return scheme
           .. string.gsub(string.sub(url, #scheme + 1), '^.*@', '(hidden)@')
end

-- A new ConnectionRequestURL: one that cannot be used takes away what was known,
-- and is noted once.
local function new_url(c, d, url, set)
    local why = wrong_url(url)
    local bad = why and several.shown_url(url)
    if not why then
        set[#set + 1] = 'url'
        set[#set + 1] = url
    elseif d.url or bad ~= d.badurl then
        note(c, 'ConnectionRequestURL ' .. shown(bad, 200)
                .. ' cannot be used: ' .. why)
        set[#set + 1] = 'badurl'
        set[#set + 1] = bad
    end
    if d.url and why then
        call('HDEL', c.k[DEVICE], 'url')
    elseif d.badurl and not why then
        call('HDEL', c.k[DEVICE], 'badurl')
    end
end

--[[
  What was told of the device itself, and the quirks that there are: when that is
  as it was then all that was made of it is, too.  Without version and root it is
  never the same, since those that were told before count then.  Where there are
  quirks a + follows it.
]]
local QUIRKY = '+'

local function digest_of(c, f, args)
    local is = f.is
    if not is then
        is = args[15] ~= '' and args[16] ~= ''
             and redis.sha1hex(table.concat(args, '\n', 9, 20) .. args[22]) or ''
    end
    return is ~= '' and is .. ' ' .. RULES .. generation_of(c)
end

-- proof that this device keeps the ParameterKey that it was given
local function keeps(d, f, set)
    if d.lastkey and d.lastkey == f.parameterkey and not d.keeps then
        set[#set + 1] = 'keeps'
        set[#set + 1] = '1'
        d.keeps = '1'
    end
end

-- name, letter and value, ...; and where in it they begin
function several.parameters_of(f)
    if type(f.parameters) == 'string' then
        f.parameters, f.first = cmsgpack.unpack(f.parameters), 1
    end
    return f.parameters, f.first
end

-- the rest of its facts, for those who need more than that it is the same
local function tell_all(f, args)
    local t = f.told and cmsgpack.unpack(f.told) or { unpack(args, 11, 20) }
    local ns, major, minor = string.match(args[9], '^(%d) ?(%d?)(%d?)$')
    f.ns = ns
    f.cwmp = minor and minor ~= '' and major .. '.' .. minor or ''
    f.address, f.manufacturer = args[10], t[1]
    f.oui, f.class, f.serial = string.upper(t[2]), t[3], t[4]
    f.root, f.version, f.hardware, f.url = t[5], t[6], t[7], t[8]
    f.parameterkey = t[9]
    f.reported = t[10] == '1' and t[9] or nil
    f.list, f.codes = {}, {}
    for i = f.at, f.last, 2 do
        local text, code = event_code(args[i])
        f.list[#f.list + 1] = text
        f.list[#f.list + 1] = args[i + 1]
        f.codes[code] = text
    end
end

local function tell_inform(c, f, args)
    event(c, 'inform', 'events', string.sub(f.events, 1, TOLD_MAX), 'address',
          args[10], several.repaired(f.repaired))
end

--[[
  What each Inform changes.  Its place in the index is as old as BOUND.seen at
  most, so that devices that inform often do not pay for it each time: it is
  dear among many.
]]
local function contact(c, f, set)
    set[#set + 1] = 'seen'
    set[#set + 1] = c.when
    local old = f.known[4]
    local since = c.second - (old or 0)
    if not old or since >= BOUND.seen or since < 0 then
        call('ZADD', c.k[SEEN], c.when, c.id)
        set[#set + 1] = 'indexed'
        set[#set + 1] = c.second
    end
    if f.known.burst then
        set[#set + 1] = 'burst'
        set[#set + 1] = f.known.burst
    end
    local a = c.auth
    if a and f.known[8] ~= a.user and several.has_own(c) then
        set[#set + 1] = 'own'
        set[#set + 1] = a.user
    end
    if f.free and not f.known[5] then
        set[#set + 1] = 'free'
        set[#set + 1] = '1'
    end
    if a and a.nonces then
        set[#set + 1] = 'nonces'
        set[#set + 1] = a.nonces
    end
    return set
end

-- The device, when it is as it was: nil when something is told of it that was
-- not.
local function same_device(c, f, args, is)
    local got = f.known
    if got[1] == is .. QUIRKY then
        c.q = call('HGET', c.k[DEVICE], 'quirks') or ''
    elseif got[1] ~= is then
        return nil
    end
    local d = { informed = got[2], events = got[3] }
    tell_inform(c, f, args)
    local set = contact(c, f, {})
    if f.clock ~= '' then
        set[#set + 1] = 'clock'
        set[#set + 1] = f.clock
    end
    if d.events ~= f.events then
        set[#set + 1] = 'events'
        set[#set + 1] = f.events
    end
    if d.informed ~= f.informed then
        tell_all(f, args)
        set[#set + 1] = 'informed'
        set[#set + 1] = f.informed
        local model = data_model(f.root, several.parameters_of(f))
        if model then
            set[#set + 1] = 'datamodel'
            set[#set + 1] = model
        end
    end
    call('HSET', c.k[DEVICE], unpack(set))
    return d
end

-- nil when there is none, or nothing that can be one
function several.setting(base, name)
    local value = redis.pcall('HGET', base .. 'settings', name)
    return type(value) == 'string' and tonumber(value) or nil
end

function several.each_tag(tags, take)
    for tag in string.gmatch(tags or '', '[^,]+') do
        take(tag)
    end
end

function several.index_tags(c, how, tags)
    local key = string.gsub(c.k[SEEN], 'seen$', 'tag')
    several.each_tag(tags, function(tag)
        local member = tag .. '\t' .. c.id
        if how == 'ZADD' then
            call('ZADD', key, 0, member)
        else
            call('ZREM', key, member)
        end
    end)
end

-- what the Inform says of the device; only what changed is written
local function device(c, f, args)
    if c.state then
        several.set_state(c, nil)
    end
    local is = digest_of(c, f, args)
    local d = is and not f.resets and same_device(c, f, args, is)
    if d then
        return d
    end
    tell_all(f, args)
    d = hash_fields(c.k[DEVICE], DEV)
    if f.resets and is_repeated(c, f, d) then
        f.resets = false
    end
    if f.resets then
        reset(c, d)
    end
    -- what each Inform looks at is found first, where it is put first
    local set = contact(c, f, { 'is', '', 'informed', f.informed, 'events',
                                f.events })
    if f.clock ~= '' then
        set[#set + 1] = 'clock'
        set[#set + 1] = f.clock
    end
    for i = 2, 13 do
        local name = DEV[i]
        if name == 'url' then
            if f.url ~= '' and f.url ~= d.url then
                new_url(c, d, f.url, set)
            end
        elseif f[name] ~= d[name]
           and (f[name] ~= '' or name == 'parameterkey' and f.reported)
        then
            set[#set + 1] = name
            set[#set + 1] = f[name]
        end
    end
    if f.retries ~= (d.retries or '0') then
        set[#set + 1] = 'retries'
        set[#set + 1] = f.retries
    end
    if not d.first then
        set[#set + 1] = 'first'
        set[#set + 1] = c.when
    end
    keeps(d, f, set)
    if d.methods and f.version ~= '' and f.version ~= d.version then
        call('HDEL', c.k[DEVICE], 'methods')    -- another firmware
    end
    local model = d.informed ~= f.informed
                  and data_model(f.root, several.parameters_of(f))
    if model then
        set[#set + 1] = 'datamodel'
        set[#set + 1] = model
    end
    c.q = device_quirks(c, d, f, set)
    if is then
        set[2] = is .. (c.q ~= '' and QUIRKY or '')
    end

    model = f.oui .. ' ' .. f.class
    local was = d.oui and d.oui .. ' ' .. (d.class or '')
    if was ~= model then
        index(c, MODEL, was, model)
    end
    if f.version ~= '' and f.version ~= d.version then
        index(c, SOFTWARE, d.version, f.version)
    end
    f.new = not d.first
    if f.new then
        call('UNLINK', c.k[PARAMS])     -- of a record that was lost
        call('ZADD', c.k[FIRST] or string.gsub(c.k[SEEN], 'seen$', 'first'),
             c.when, c.id)
        several.index_tags(c, 'ZADD', call('HGET', c.k[DEVICE], 'tags'))
        event(c, 'new')
    end
    -- the last: by it the next Inform knows what is in the others
    call('HSET', c.k[DEVICE], unpack(set))
    tell_inform(c, f, args)
    return d
end

local VALUES = '4 ' .. CODES[4][1]

-- Parameters that are in each Inform (TR-181, TR-098), changed or not.
local FORCED = { RootDataModelVersion = true, DeviceSummary = true,
    ['DeviceInfo.SpecVersion'] = true, ['DeviceInfo.HardwareVersion'] = true,
    ['DeviceInfo.SoftwareVersion'] = true,
    ['DeviceInfo.ProvisioningCode'] = true,
    ['ManagementServer.ParameterKey'] = true,
    ['ManagementServer.ConnectionRequestURL'] = true,
    ['ManagementServer.AliasBasedAddressing'] = true }

--[[
  The values that this Inform tells as changed, as JSON for events: those that
  were not known, and those that need not be in it; but if it is told again, the
  former only.  All when there is none of these.  nil: nothing is new.
]]
-- what may be read of a value by those who read events
function several.told_value(name, value)
    local text = string.sub(value, 2)
    local leaf = string.match(name, '[^.]*$')
    local tail = leaf == 'Value' and name or '.' .. leaf
    return text ~= '' and not string.find(text, '^s1%.%x+%.%x+$')
           and (several.is_sensitive(tail .. '"')
                or string.find(text, '://[^/]*@'))
           and '"(hidden)"' or quote(text)
end

local function new_values(c, f, again)
    local args, first = several.parameters_of(f)
    local news, all = { size = 0 }, { size = 0 }
    local function add(list, pair)
        if list.size <= TOLD_MAX then
            list[#list + 1] = pair
            list.size = list.size + #pair
        end
    end
    local names = {}
    for i = first, #args - 1, 2 do
        names[#names + 1] = args[i]
    end
    local _, values = stored(c.k[PARAMS], names)
    for i, name in ipairs(names) do
        local now = args[first + 2 * i - 1]
        local pair = quote(name) .. ':' .. several.told_value(name, now)
        add(all, pair)
        if values[i] ~= now or not again
           and not FORCED[string.match(name, '^[^.]*%.(.*)$') or '']
        then
            add(news, pair)
        end
    end
    if again and not news[1] then
        return nil
    end
    return told('{' .. table.concat(news[1] and news or all, ',') .. '}')
end

-- A sign of life, and nothing else: false when it must be taken as any Inform.
local function is_light(c, f)
    if not f.light or call('HEXISTS', c.k[DEVICE], 'first') == 0 then
        return false
    end
    call('HSET', c.k[DEVICE], unpack(contact(c, f, { 'events', f.events })))
    return true
end

--[[
  A CPE that informs without end: of its Informs that come within BOUND.near
  seconds of the last, it may have so many in BOUND.window seconds; then one in
  BOUND.near seconds, as the retry table of CWMP has it.  Others are refused
  before anything is written.  burst: since when it is counted, and how many.
]]
local function too_often(c, known)
    local gap = c.when - (known[6] or 0)
    if gap >= BOUND.near or gap < 0 then
        return false
    end
    local start, n = string.match(known[7] or '', '^(%d+) (%d+)$')
    local since = start and c.second - start
    if not start or since >= BOUND.window or since < 0 then
        start, n = c.second, 0
    end
    n = n + 1
    local most = BOUND.burst
    if n > most then
        most = several.setting(string.sub(c.k[EVENTS], 1, -7), 'sessions')
               or most
    end
    if n <= most then
        known.burst = start .. ' ' .. n
        return false
    elseif n == most + 1 then
        call('HSET', c.k[DEVICE], 'burst', start .. ' ' .. n)
        event(c, 'session', 'state', 'refused', 'reason', 'informs without end')
        note(c, 'informs without end: more than ' .. most .. ' sessions in '
                .. BOUND.window / 60 .. ' minutes; for the rest of them it gets '
                .. 'one in ' .. BOUND.near .. ' seconds')
    end
    return true
end

-- What is looked at in each Inform; the rest by tell_all() and parameters_of().
local function inform_facts(c, args)
    local at = c.packed and 13 or 21
    local count = string.match(args[at + 2], '^%d+')
    local last = at + 2 + 2 * count
    local f = { informed = args[at], retries = args[at + 1],
                clock = string.sub(args[at + 2], #count + 2), at = at + 3,
                last = last, first = last + 1, events = nil, resets = nil,
                light = last > at + 2, values = nil, parameters = args,
                told = nil, is = nil, known = nil, free = nil, new = nil }
    if c.packed then
        f.told, f.is, f.parameters = args[11], args[12], args[last + 1]
    end
    for i = f.at, last, 2 do
        local text, _, row = event_code(args[i])
        if row then
            f.resets, f.values = f.resets or row.resets, f.values or row.values
        else
            text = string.gsub(text, ',', ';')
        end
        f.light = f.light and row and row.light
        f.events = f.events and f.events .. ',' .. text or text
    end
    f.events = f.events or ''
    return f
end

--[[
  args: id, token, nonce, digest, 'inform', idle ms, outstanding ms, most,
  namespace and version ("2 14": cwmp-1-2, CWMP 1.4), address, (1)
  manufacturer, oui, class, serial, root, version, hardware, url, ParameterKey,
  1 if it was reported, (2) digest of the parameters, RetryCount, number of
  events and the device's clock ("2 2026-01-02T03:04:05Z"), code, CommandKey,
  ..., (3) name, letter and value, ...

  cwmp_step_2 has what stands between (1) and (2), and all after (3), packed
  into one argument each, since it is looked at only when it is not as it was;
  and at (2) a digest of all between namespace and (2) and of RetryCount, empty
  without root or version.
]]
function inform(c, args)
    local k, token, nonce, digest = c.k, args[2], args[3], args[4]
    local a, known = c.auth, nil
    if a then
        known = call('HMGET', k[DEVICE], unpack(KNOWN_USER))
        a.kept = known[9]
    else
        known = call('HMGET', k[DEVICE], unpack(KNOWN))
    end
    local rule = a and several.outgrown(c)
                 or not known[6] and several.unknown(c, args)
    if rule then
        return rule
    end
    -- of most devices there is nothing of all this
    local quirks = k[QUIRKS] or k[TASKS]
    local rest = known[5] and call('EXISTS', k[SESSION], k[TASKS], quirks)
                 or call('EXISTS', k[SESSION], k[TASKS], quirks, k[LIVE])
    local old = rest > 0 and load_session(c)
    local refused = several.refusal(c)
    if refused then
        return refused
    end
    if old and (old.n == nonce or old.d == digest and old.a == 'inform'
                                  and old.r == '0'
                                  and (not a or old.u == a.user))
    then
        if old.n ~= nonce then
            old.r = '1'
        end
        several.spend(c)
        old.idle = args[6]
        save(c, old, nonce, old.d)
        return { 'inform', c.notes, old.t, old.y or '' }
    end
    if too_often(c, known) then
        several.spend(c)
        return { 'later', c.notes }
    end
    if rest > 0 then
        call('DEL', k[SESSION])
        rest = old and rest - 1 or rest
    end

    local f = inform_facts(c, args)
    local carries = rest > 0 and call('EXISTS', k[TASKS], k[LIVE]) > 0
    f.known, f.free = known, not carries
    local counts, awake = several.counts_of(args[8]), false
    c.seals = counts[4] == 's'
    if carries then
        check_keys(c)
        tell_all(f, args)
        -- what was pushed before this Inform may wait for what it brings
        for _ = 1, INTAKES do
            if not intake(c, INTAKE) then
                break
            end
        end
        awake = release(c, f.codes)
    end
    if rest == 0 then
        c.generation = '0'
    end

    local light, d = not awake and is_light(c, f), nil
    if light then
        c.q = call('HGET', c.k[DEVICE], 'quirks') or ''
    else
        f.repaired = counts[3]
        d = device(c, f, args)
        if d.informed ~= f.informed then
            local again = f.retries ~= '0' and string.find(d.events or '',
                                                           VALUES, 1, true)
            local news = f.values and new_values(c, f, again)
            if news then
                event(c, 'value change', 'parameters', news,
                      several.repaired(f.repaired))
            end
            write_params(c, call('HGET', k[DEVICE], 'gen') or '0',
                         several.parameters_of(f))
        end
    end

    if c.rule and (f.new or f.resets and not light) then
        carries = several.first.contact(c, f.root) or carries
    end
    if carries then
        lose(c, 'a new Inform')
        if not light then
            installed(c, f)
            inform_waiting(c, f)
        end
    end
    call('HSET', k[SESSION], 't', token, 'p', FRESH .. (light and '1 ' or '0 ')
         .. args[6] .. ' ' .. args[9], 'n', nonce, 'd', digest,
         'b', counts[2] ~= '' and counts[2] or '0', 'o', c.second .. '000',
         'f', carries and '' or '1', unpack(a and { 'u', a.user } or NOBODY))
    local style = ''
    if c.q ~= '' then
        tell_all(f, args)
        style = style_of(c, f.root ~= '' and f.root or d and d.root or '')
        call('HSET', k[SESSION], 'q', c.q, 'y', style)
    end
    call('PEXPIRE', k[SESSION], args[6])
    return { 'inform', c.notes, token, style, c.new or nil }
end

end
