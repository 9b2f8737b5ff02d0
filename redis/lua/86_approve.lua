-- What an admin says of devices before they are known: they may come, or not.

function house.load()

local remove = house.remove

local function state_of(c)
    local is = hash_fields(c.k[DEVICE], { 'first', 'state' })
    c.state = not is.first and several.states[is.state] and is.state or nil
    return is.first and 'known' or c.state
end

-- Whatever the rule says, it is taken when it informs.
function house.announce(c)
    several.set_state(c, 'announced')
end

-- FCALL cwmp_approve 1 cwmp:{0}:ID [new]: what it was, or announced.  One that
-- is known may come with credentials of first contact once more.
local function cwmp_approve(k, id, args)
    local c = context(k, id)
    local was = state_of(c)
    if args[1] and args[1] ~= '' and args[1] ~= 'new' then
        return redis.error_reply('ERR ' .. shown(args[1], 64) .. ': use new, '
                                 .. 'or nothing')
    elseif not was and args[1] ~= 'new' then
        return redis.error_reply('ERR no device ' .. id .. ' has informed; '
               .. 'announce it if it is to come: new, or cwmp-device announce')
    elseif was ~= 'known' and was ~= 'announced' then
        house.announce(c)
        event(c, was and 'approved' or 'announced')
    elseif was == 'known' then
        call('HDEL', k[DEVICE], 'own')
    end
    return was or 'announced'
end

-- FCALL cwmp_deny 1 cwmp:{0}:ID: what it was, or new
local function cwmp_deny(k, id)
    local c = context(k, id)
    local was = state_of(c)
    if call('EXISTS', k[DEVICE] .. ':moving') == 1 then
        return redis.error_reply('ERR ' .. id .. ' is being replaced: end that '
                                 .. 'first, by cwmp-device replace')
    end
    if was ~= 'denied' then
        check_keys(c)
        local nonces = call('HGET', k[DEVICE], 'nonces')
        remove(c, 'denied')
        c.state = nil
        several.set_state(c, 'denied')
        if nonces then                  -- what was used stays so
            call('HSET', k[DEVICE], 'nonces', nonces)
        end
    end
    return was or 'new'
end

redis.register_function('cwmp_approve', house.of_device(cwmp_approve))
redis.register_function('cwmp_deny', house.of_device(cwmp_deny))

end

house.load()
