-- Quirks: what is known of devices that do not do as TR-069 says, and for which of
-- them.  Here are the rows and who they are for; what one does is done elsewhere.

--[[
  What differs between models is data: rows "OUI/ProductClass/SoftwareVersion"
  -> JSON of quirks, those that come with us and those in the QUIRKS key.  An
  Inform merges the rows that match its device, the more specific over the
  less (a quirk that is as usual is left out); the device keeps the outcome as
  long as neither it nor the rows change, and the session has it as q.

  In QUIRKS the field "." is a number that grows with each change.

  To add a quirk: its row here and in docs/quirks.md, and who heeds it: by
  quirk(s, NAME), or, when it is about how envelopes are written, by its name
  in STYLE and a row of cwmp_style_words[] (core/cwmp_style.c).
]]
local quirk, device_quirks, style_of, generation_of

local RULES = VERSION .. '.'        -- the rows here, and all that is made of them

do  -- Lua takes 200 local names in a block

local GENERATION = '.'

local function a_switch(v)
    return type(v) == 'boolean'
end

local function a_count(v)
    return whole(v, 1, 100000)
end

local function one_of(...)
    local words = { ... }
    return function(v)
        for _, word in ipairs(words) do
            if v == word then
                return true
            end
        end
        return false
    end
end

local SWITCH, COUNT = 'true or false', 'a whole number from 1 to 100000'

-- what is usual, what may be written, and whether this is it
local QUIRK = {
    booleans   = { 'digits', '"digits" or "words"', one_of('digits', 'words') },
    nextLevel  = { '', '"digits" or "words"', one_of('digits', 'words') },
    emptyTags  = { 'long', '"long" or "short"', one_of('long', 'short') },
    prefix     = { 'soap-env',
                   '"soap-env", "SOAP-ENV", "soap", "soapenv" or "s"',
                   one_of('soap-env', 'SOAP-ENV', 'soap', 'soapenv', 's') },
    declaration      = { true, SWITCH, a_switch },
    rootNames        = { true, SWITCH, a_switch },
    transferComplete = { true, SWITCH, a_switch },
    commandKey       = { true, SWITCH, a_switch },
    valuesAtMost     = { 100000, COUNT, a_count },
    namesAtMost      = { 100000, COUNT, a_count },
    partialPaths     = { true, SWITCH, a_switch },
    confirmSet       = { false, SWITCH, a_switch },
}

-- what the writer of envelopes needs to know, in its words
local STYLE = { 'booleans', 'nextLevel', 'emptyTags', 'prefix', 'declaration' }

-- rows that come with us, each seen at a device or an agent as it is delivered
local BUILT_IN = {
    -- answers hold 256 values, and no word of the others; Status 0 is no proof
    { '*/HN8145X6N/*', '{"valuesAtMost":256,"confirmSet":true}' },
    -- agents that take a declaration for no XML: netcwmp, Orange's tr069agent
    { 'A00001/OT2800/*', '{"declaration":false}' },
    { '0016AE/TR69Generic/*', '{"declaration":false}' },
}

-- This one of the session's device, or nil when it is as usual; s is a session
-- or a context, or whatever holds the JSON as q.  False is a value: compare.
function quirk(s, name)
    if not s.q or s.q == '' then
        return nil
    end
    s.quirks = s.quirks or decode(s.q) or {}
    return s.quirks[name]
end

function several.sorted_names(t)
    local names = {}
    for name in pairs(t) do
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end

-- a row's quirks, or nil, which one, and what is wrong with it
local function parse_quirks(json)
    if #json > QUIRKS_BYTES then
        return nil, 'quirks', 'are longer than ' .. QUIRKS_BYTES .. ' bytes'
    end
    local quirks, why = decode(json)
    if not quirks then
        return nil, 'quirks', why
    end
    for _, name in ipairs(several.sorted_names(quirks)) do
        local known = QUIRK[name]
        if not known then
            return nil, shown(name, 64), 'is no quirk; there are '
                   .. table.concat(several.sorted_names(QUIRK), ', ')
        end
        if not known[3](quirks[name]) then
            return nil, name, 'is not ' .. known[2]
        end
    end
    return quirks
end

-- the three parts of a match; in each, * is any text and %XX a character
local function split_match(match)
    return string.match(match, '^([^/]*)/([^/]*)/([^/]*)$')
end

-- a match in its one form, or nil and what is wrong with it
local function parse_match(match)
    if #match > MATCH_BYTES then
        return nil, 'is longer than ' .. MATCH_BYTES .. ' bytes'
    end
    local oui, class, version = split_match(match)
    if not oui then
        return nil, 'is not OUI/ProductClass/SoftwareVersion; write * for any,'
               .. ' and %2F for a / in one of them'
    end
    if oui == '' then
        return nil, 'has no OUI; write * for any'
    end
    if string.find(match, '[%c\127]') then
        return nil, 'has control characters; write them as %XX'
    end
    if string.find((string.gsub(match, '%%%x%x', '')), '%', 1, true) then
        return nil, 'has a % that begins no %XX; write %25'
    end
    return string.upper(oui) .. '/' .. class .. '/' .. version
end

-- the texts between the stars, and how many characters they have
local function pieces_of(part)
    local pieces, literal = {}, 0
    for piece in string.gmatch(part .. '*', '([^*]*)%*') do
        piece = string.gsub(piece, '%%(%x%x)', function(hex)
            return string.char(tonumber(hex, 16))
        end)
        pieces[#pieces + 1] = piece
        literal = literal + #piece
    end
    return pieces, literal
end

-- does the text have these pieces, in this order, and nothing at its ends?
local function fits(pieces, text)
    local n = #pieces
    if n == 1 then
        return text == pieces[1]
    end
    local first, last = pieces[1], pieces[n]
    if string.sub(text, 1, #first) ~= first then
        return false
    end
    local at, rest = #first + 1, #text - #last + 1
    for i = 2, n - 1 do
        local from, to = string.find(text, pieces[i], at, true)
        if not from then
            return false
        end
        at = to + 1
    end
    return at <= rest and string.sub(text, rest) == last
end

-- how many characters of the device's match say; nil: it is another device's
local function specific(match, oui, class, version)
    local total, texts = 0, { oui, class, version }
    for i, part in ipairs({ split_match(match) }) do
        local pieces, literal = pieces_of(part)
        if not fits(pieces, texts[i]) then
            return nil
        end
        total = total + literal
    end
    return total
end

-- own rows after ours when both are as specific; else in the order of bytes
local function less_specific(a, b)
    if a.literal ~= b.literal then
        return a.literal < b.literal
    end
    if a.own ~= b.own then
        return b.own
    end
    return a.match < b.match
end

-- all rows: match, JSON, whether it is an admin's
local function each_quirk(key, take)
    for _, row in ipairs(BUILT_IN) do
        take(row[1], row[2], false)
    end
    local raw = key and redis.pcall('HGETALL', key) or {}
    for i = 1, raw.err and 0 or #raw, 2 do
        if raw[i] ~= GENERATION then
            take(raw[i], raw[i + 1], true)
        end
    end
end

-- the JSON of what holds for this device; '' for nothing
local function merge_quirks(c, oui, class, version)
    local rows, merged = {}, {}
    each_quirk(c.k[QUIRKS], function(match, json, own)
        local good, why = parse_match(match)
        local literal = good and specific(good, oui, class, version)
        if not good then
            note(c, 'quirks of ' .. shown(match, 64) .. ' are ignored: match '
                    .. why)
        elseif literal then
            rows[#rows + 1] = { literal = literal, own = own, match = match,
                                json = json }
        end
    end)
    table.sort(rows, less_specific)
    for _, row in ipairs(rows) do
        local quirks, name, why = parse_quirks(row.json)
        if not quirks then
            note(c, 'quirks of ' .. string.sub(row.match, 1, 64)
                    .. ' are ignored: ' .. name .. ' ' .. why)
        end
        for name, value in pairs(quirks or {}) do
            merged[name] = value
        end
    end
    for name, value in pairs(merged) do
        if value == QUIRK[name][1] then
            merged[name] = nil
        end
    end
    return next(merged) and cjson.encode(merged) or ''
end

-- it is another one after each change of the rows
function generation_of(c)
    if c.generation then
        return c.generation
    end
    local generation = c.k[QUIRKS]
                       and redis.pcall('HGET', c.k[QUIRKS], GENERATION)
    if type(generation) == 'table' then
        note(c, c.k[QUIRKS] .. ' is not a hash: delete it, and use '
                .. 'cwmp_quirk')
        generation = 'x'
    end
    c.generation = generation or '0'
    return c.generation
end

-- What holds for the device of this Inform; made anew, and noted in set, when
-- it or the rows have changed since.
function device_quirks(c, d, f, set)
    local version = f.version ~= '' and f.version or d.version or ''
    local of = RULES .. generation_of(c) .. ' ' .. f.oui .. '/'
               .. f.class .. '/' .. version
    if d.quirksof == of then
        return d.quirks or ''
    end
    local quirks = merge_quirks(c, f.oui, f.class, version)
    for name, value in pairs({ quirksof = of, quirks = quirks }) do
        set[#set + 1] = name
        set[#set + 1] = value
    end
    return quirks
end

-- the same for the writer of envelopes: "prefix=s declaration=false"
function style_of(s, root)
    local words = {}
    for _, name in ipairs(STYLE) do
        if quirk(s, name) ~= nil then
            words[#words + 1] = name .. '=' .. tostring(quirk(s, name))
        end
    end
    if quirk(s, 'rootNames') == false and string.find(root, '^%a[%w_]*$') then
        words[#words + 1] = 'root=' .. root
    end
    return table.concat(words, ' ')
end

-- FCALL cwmp_quirk 1 cwmp:{0}:quirks MATCH JSON: what was done
local function cwmp_quirk(keys, args)
    if not string.find(keys[1], ':{%d+}:quirks$') then
        return redis.error_reply('ERR ' .. keys[1] .. ' is no key of quirks: '
                                 .. 'use cwmp:{0}:quirks')
    end
    local match, why = parse_match(args[1] or '')
    if not match then
        return redis.error_reply('ERR quirk refused: match ' .. why)
    end
    local quirks, name, wrong = parse_quirks(args[2] or '')
    if not quirks then
        return redis.error_reply('ERR quirk refused: ' .. name .. ' ' .. wrong)
    end
    local done = 'stored'
    if next(quirks) == nil then
        if call('HDEL', keys[1], match) == 0 then
            return 'no such row'
        end
        done = 'removed'
    elseif call('HLEN', keys[1]) > QUIRKS_MAX
           and call('HEXISTS', keys[1], match) == 0
    then
        return redis.error_reply('ERR there are ' .. QUIRKS_MAX .. ' rows of '
               .. 'quirks: make one of several by *, or remove some')
    else
        call('HSET', keys[1], match, args[2])
    end
    -- of all changes, so that rows that somebody deleted and made anew differ
    local generation = call('HGET', keys[1], GENERATION) or ''
    generation = redis.sha1hex(generation .. match .. ' ' .. args[2])
    call('HSET', keys[1], GENERATION, string.sub(generation, 1, 16))
    return done
end

-- FCALL_RO cwmp_quirks 1 cwmp:{0}:quirks: match, JSON, whose it is, ...
local function cwmp_quirks(keys)
    local rows, out = {}, {}
    call('HLEN', keys[1])           -- an error when it is another type
    each_quirk(keys[1], function(match, json, own)
        rows[#rows + 1] = { match = match, json = json, own = own,
                            literal = 0 }
    end)
    table.sort(rows, less_specific)
    for _, row in ipairs(rows) do
        out[#out + 1] = row.match
        out[#out + 1] = row.json
        out[#out + 1] = row.own and 'own' or 'built in'
    end
    return out
end

several.add_quirk = cwmp_quirk
redis.register_function{ function_name = 'cwmp_quirks',
                         callback = cwmp_quirks, flags = { 'no-writes' } }

end -- of quirks
