-- Credentials of CPEs, and how they are changed so that a device is never locked
-- out.  A user's record lives in a slot of its own: no device is known here.

--[[
  cwmp:user:{NAME}: md5, sha256, basic (what proves the user), device (which it
  is; without it NAME says so), first (only until a device has its own), password,
  connection_request (sealed), task (the last one that changed these).  While they
  are being changed there is each of them as next_NAME, too, and both are good; and
  in "next" how far that is:

    the RPC's ID    that was to set them; what came of it is not known
    taken           the device has said that it has them

  The next ones are the only ones as soon as somebody proves to have them.  Until
  then both stay, whatever the device has answered: it may have said that it
  refuses them, and have taken them.  Whoever changes them sets the same ones.
]]
house.PROOFS = { 'md5', 'sha256', 'basic' }
house.KEPT = { 'md5', 'sha256', 'basic', 'password', 'connection_request' }
house.NEXT = { 'next', 'next_md5', 'next_sha256', 'next_basic', 'next_password',
               'next_connection_request', 'next_task' }

-- Has the record any of these proofs, in the order of house.PROOFS?
function house.holds(u, proofs)
    for i, name in ipairs(house.PROOFS) do
        local is = u[name] or ''
        if is ~= '' and is == proofs[i] then
            return true
        end
    end
    return false
end

-- Is this the record of that device alone?  An OUI, and %XX, in either case.
function house.is_own(key, device, id)
    local name = device or string.match(key, '{(.*)}$') or ''
    name = string.gsub(string.gsub(name, '^[^-]*', string.upper), '%%%x%x',
                       string.upper)
    return name == id
end

function house.no_hash(key)
    return redis.error_reply('ERR ' .. key .. ' is not a hash: rename or delete '
                             .. 'it')
end

--[[
  FCALL cwmp_rotate_1 1 cwmp:user:{NAME} ID TASK RPC taken
  FCALL cwmp_rotate_1 1 cwmp:user:{NAME} ID TASK RPC digest|basic MD5 SHA256 BASIC
                      PASSWORD CONNECTION_REQUEST
                      own MD5 SHA256 BASIC|shared|nobody

  The device ID has taken what the RPC set; or it is to have these, unless there
  are some already.  own: who asks has come as this user, by these, as its
  connection remembers them: they may be good no longer; shared: as a user of many,
  and may not be the device that has taken them; nobody: no user is asked for.  What
  it answers:

    gone        the user was taken away: it has nothing that proves it
    changed     none of what the connection remembers does any more
    another     the record is not this device's alone
    done        the device has proven to have those of this task, or has taken them
    taken       it has, and who asks is not told them
    next PASSWORD CONNECTION_REQUEST    to be set
]]
function house.rotate(keys, args)
    local key = keys[1]
    local id, task, rpc, how = args[1], args[2], args[3], args[4]
    local kind = call('TYPE', key).ok
    if kind ~= 'hash' and kind ~= 'none' then
        return house.no_hash(key)
    end
    local u = hash_fields(key, { 'device', 'md5', 'sha256', 'basic', 'task',
                                 'next', 'next_password',
                                 'next_connection_request' })
    local own = args[10] == 'own'
    if own and not (u.md5 or u.sha256 or u.basic or u.next) then
        return { 'gone' }
    elseif own and not house.holds(u, { unpack(args, 11, 13) }) then
        return { 'changed' }
    elseif not house.is_own(key, u.device, id) then
        return { 'another' }
    elseif how == 'taken' then
        if u.next == rpc then
            call('HSET', key, 'next', 'taken')
        end
        return { 'done' }
    elseif u.task == task then
        return { 'done' }
    elseif u.next and u.next_password and u.next_connection_request then
        if u.next == 'taken' and args[10] == 'shared' then
            return { 'taken' }
        end
        call('HSET', key, 'next_task', task, 'next', rpc)
        return { 'next', u.next_password, u.next_connection_request }
    end
    call('HDEL', key, unpack(house.NEXT))
    call('HSET', key, 'device', id, 'next', rpc, 'next_task', task,
         'next_basic', args[7], 'next_password', args[8],
         'next_connection_request', args[9])
    if how ~= 'basic' or u.md5 then
        call('HSET', key, 'next_md5', args[5], 'next_sha256', args[6])
    end
    return { 'next', args[8], args[9] }
end

-- the next ones are proven, by this of them: the only ones from now on
function house.promote(key, by)
    local had = call('HMGET', key, unpack(house.KEPT))
    local new, set = {}, {}
    for i, name in ipairs(house.KEPT) do
        new[i] = call('HGET', key, 'next_' .. name)
        local same = name ~= 'password' and (name == 'basic') == (by == 'basic')
        if new[i] and (had[i] or same or name == 'connection_request') then
            set[#set + 1] = name
            set[#set + 1] = new[i]
        end
    end
    call('HSET', key, 'task', call('HGET', key, 'next_task') or '', unpack(set))
    call('HDEL', key, 'first', unpack(house.NEXT))
end

-- FCALL cwmp_proven_1 1 cwmp:user:{NAME} FIELD VALUE: a CPE has proven that it has
-- the password of which the record keeps this as next_FIELD
function house.proven(keys, args)
    local key, by = keys[1], args[1]
    if call('HGET', key, 'next_' .. by) == args[2] then
        house.promote(key, by)
    end
    return 'OK'
end

-- FCALL cwmp_next_1 1 cwmp:user:{NAME}: a write, for who waits until replicas have
-- the next ones; 0: there are none
function house.next_held(keys)
    local is = call('HGET', keys[1], 'next')
    return is and call('HSET', keys[1], 'next', is) + 1 or 0
end

-- FCALL_RO cwmp_user_1 1 cwmp:user:{NAME}: what proves the user, or nothing when it
-- is unknown; never more than a caller has room for.  The last four only while
-- they are changed.
function house.user(keys)
    local got = redis.pcall('HMGET', keys[1], 'md5', 'sha256', 'basic',
                            'device', 'first', 'next')
    if got.err then
        return house.no_hash(keys[1])
    end
    local is = got[6]
    got[6] = nil
    if is then
        got[6], got[7], got[8] = unpack(call('HMGET', keys[1], 'next_md5',
                                             'next_sha256', 'next_basic'))
        got[9] = is
    elseif not (got[1] or got[2] or got[3] or got[4] or got[5]) then
        return {}
    end
    got[5] = got[5] and '1'
    for i = 1, #got do
        local text = got[i] or ''
        got[i] = #text <= (i == 4 and 256 or 64) and text or ''
    end
    return got
end

redis.register_function{ function_name = 'cwmp_user_1', callback = house.user,
                         flags = { 'no-writes' } }
redis.register_function('cwmp_rotate_1', house.rotate)
redis.register_function('cwmp_proven_1', house.proven)
redis.register_function('cwmp_next_1', house.next_held)
