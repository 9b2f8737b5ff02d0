-- Look-ups: devices by what the indexes know.  Nothing is written here.

function house.load()

local FIND = { most = 1000, looks = 500 }

local RECORD, plain = house.RECORD, house.plain

--[[
  A filter is an object: tag, oui, class, version (a text, or its beginning and
  a *), seenAfter, seenBefore, firstAfter, firstBefore (Unix seconds), state
  (quarantine, announced, denied; else devices that are known are found).  One
  index leads, the record of each device decides.  The cursor is the member of
  the index where the last page ended.
]]
local function a_text(v) return type(v) == 'string' and #v <= 1024 end
local function a_time(v) return type(v) == 'number' and v == v
                                and v >= 0 and v <= 1e11 end
local function a_state(v) return several.states[v] or false end
local FILTER = { tag = a_text, oui = a_text, class = a_text, version = a_text,
                 seenAfter = a_time, seenBefore = a_time, firstAfter = a_time,
                 firstBefore = a_time, state = a_state }
local KIND = { [a_text] = 'a text of at most 1024 bytes',
               [a_time] = 'a Unix time in seconds',
               [a_state] = 'quarantine, announced or denied' }

local function parse_filter(json)
    local f, why = decode(json)
    if not f then
        return nil, 'filter: ' .. why
    end
    for name, v in pairs(f) do
        if not FILTER[name] then
            return nil, 'filter: ' .. shown(name, 64) .. ' is none of class, '
                   .. 'firstAfter, firstBefore, oui, seenAfter, seenBefore, '
                   .. 'state, tag, version'
        elseif not FILTER[name](v) then
            return nil, 'filter: ' .. name .. ' is not '
                   .. KIND[FILTER[name]]
        end
    end
    f.oui = f.oui and string.upper(f.oui)
    return f
end

-- is it this text, or does it begin as it says?
local function is_like(wanted, text)
    if string.sub(wanted, -1) == '*' then
        return string.sub(text, 1, #wanted - 1) == string.sub(wanted, 1, -2)
    end
    return text == wanted
end

local function matches(f, d)
    local seen, first = tonumber(d.seen), tonumber(d.first)
    if f.state then
        seen = not first and d.state == f.state and tonumber(d.last or d.since)
        first = tonumber(d.since)
    end
    if not first or not seen
       or f.oui and not is_like(f.oui, d.oui or '')
       or f.class and not is_like(f.class, d.class or '')
       or f.version and not is_like(f.version, d.version or '')
       or seen < (f.seenAfter or 0) or seen > (f.seenBefore or seen)
       or first < (f.firstAfter or 0) or first > (f.firstBefore or first)
    then
        return false
    end
    return not f.tag or string.find(',' .. (d.tags or '') .. ',',
                                    ',' .. f.tag .. ',', 1, true) ~= nil
end

-- bounds in an index of texts: of this text, or of what begins as it says
local function lexical(name, text, before)
    before = before or ''
    if string.sub(text, -1) == '*' then
        local stem = before .. plain(string.sub(text, 1, -2))
        return { name, '[' .. stem, '(' .. stem .. '\255' }
    end
    text = before .. plain(text)
    return { name, '[' .. text .. '\t', '(' .. text .. '\n' }
end

-- the index that leads, and its bounds
local function leader(f)
    if f.state then
        return { 'index:' .. f.state, f.seenAfter or '-inf',
                 f.seenBefore or '+inf', score = true }
    elseif f.tag then
        return lexical('index:tag', f.tag)
    elseif f.oui and f.class and string.sub(f.oui, -1) ~= '*' then
        return lexical('index:model', f.class, f.oui .. ' ')
    elseif f.version and f.version ~= '' and f.version ~= '*' then
        return lexical('index:version', f.version)
    elseif f.oui then
        return lexical('index:model', (string.gsub(f.oui, '%*$', '')) .. '*')
    elseif f.firstAfter or f.firstBefore then
        return { 'index:first', f.firstAfter or '-inf', f.firstBefore or '+inf',
                 score = true }
    elseif f.class then
        return { 'index:model', '-', '+' }
    end
    -- of those that the index has from before, few have been seen since
    local from = f.seenAfter
    return { 'index:seen', from or '-inf', f.seenBefore or '+inf', score = true,
             behind = from and { 'index:seen',
                                 math.max(from - BOUND.seen - 1, 0),
                                 '(' .. from, score = true } }
end

-- As indexes are sorted: < of texts is the locale's.
local function is_before(a, b)
    for i = 1, math.min(#a, #b) do
        local x, y = string.byte(a, i), string.byte(b, i)
        if x ~= y then
            return x < y
        end
    end
    return #a < #b
end

-- A class alone: the next entry that may be of it, past the others of this OUI.
local function skip_class(f, member)
    local oui, class = string.match(member, '^(%S*) ([^\t]*)\t')
    local stem = plain((string.gsub(f.class, '%*$', '')))
    if not oui or string.sub(class, 1, #stem) == stem then
        return nil
    end
    return is_before(class, stem) and '[' .. oui .. ' ' .. stem or '[' .. oui .. '!'
end

-- the members that follow the one where it ended, at most n
local function page(key, by, after, n)
    if not by.score then
        return call('ZRANGEBYLEX', key, after and after or by[2], by[3],
                    'LIMIT', 0, n)
    end
    local from, skip = by[2], 0
    local score, member = string.match(after or '', '^(%S+) (.*)$')
    if score then
        from = score
        local rank = call('ZRANK', key, member)
        if rank and call('ZSCORE', key, member) + 0 == score + 0 then
            skip = rank + 1 - call('ZCOUNT', key, '-inf', '(' .. score)
        end
    end
    return call('ZRANGEBYSCORE', key, from, by[3], 'LIMIT', skip, n)
end

-- FCALL_RO cwmp_find 1 cwmp:{0}:index:seen FILTER [LIMIT [CURSOR]]: cursor (''
-- when that was all), ID, ID, ...
local function cwmp_find(base, args)
    local f, wrong = parse_filter(args[1] or '{}')
    local limit = tonumber(args[2] or 100)
    if not f then
        return redis.error_reply('ERR ' .. wrong)
    elseif not whole(limit, 1, FIND.most) then
        return redis.error_reply('ERR LIMIT is not a whole number from 1 to '
                                 .. FIND.most)
    end
    local by = leader(f)
    local key, found_ids, looks = base .. by[1], {}, 0
    local after = args[3] ~= '' and args[3] or nil
    if after and not (by.score and string.find(after, '^[%d.]+ ')
                      or not by.score and string.find(after, '^[[(].'))
    then
        return redis.error_reply('ERR CURSOR is not one of this filter')
    end
    if after and by.behind
       and tonumber(string.match(after, '^%S+')) < f.seenAfter
    then
        by = by.behind
    end
    local function cursor_at(member)
        return by.score and call('ZSCORE', key, member) .. ' ' .. member
               or '(' .. member
    end
    local most = math.min(limit, 100)
    local n, jump = most, nil
    while looks < FIND.looks do
        -- past a jump the first one says whether there is another
        n = jump and 1 or math.min(8 * n, most)
        local members = page(key, by, after, n)
        jump = nil
        for _, member in ipairs(members) do
            looks = looks + 1
            jump = f.class and not f.oui and not by.score
                   and by[1] == 'index:model' and skip_class(f, member)
            if jump then
                break
            end
            local id = string.match(member, '([^\t]*)$')
            local ok, d = pcall(hash_fields, base .. id, RECORD)
            if ok and matches(f, d) then
                found_ids[#found_ids + 1] = id
                if #found_ids == limit then
                    return { cursor_at(member), unpack(found_ids) }
                end
            end
        end
        if members[1] then
            after = jump or cursor_at(members[#members])
        elseif by.behind then
            by = by.behind
            after = by[2] .. ' '
        else
            return { '', unpack(found_ids) }
        end
    end
    return { after, unpack(found_ids) }
end

redis.register_function{ function_name = 'cwmp_find',
                         callback = house.of_partition(cwmp_find),
                         flags = { 'no-writes' } }

end

house.load()
