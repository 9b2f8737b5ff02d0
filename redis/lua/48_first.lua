-- What a device is to have from its first contact on, and after each reset: tasks
-- as any, queued by its Inform.

--[[
  c.rule ends with what the caller wants of it: " inform=SECONDS", " rotate".  The
  tasks have ids of their own, so that there is one of a kind at most.
]]
several.first = { note = '"note":"cwmp_first_contact"}' }

function several.first.give(c, json)
    local task = parse_task(json)
    return room(c) > 0 and accept(c, task, json) ~= nil
end

-- When the device informs, of a period of so many seconds: a hash of its ID, so
-- that a fleet is spread over it, and each has its place for good.
function several.first.phase(c, every)
    local s = tonumber(string.sub(redis.sha1hex(c.id), 1, 8), 16) % every
    return string.format('2001-01-%02dT%02d:%02d:%02dZ', s / 86400 + 1,
                         s / 3600 % 24, s / 60 % 60, s % 60)
end

function several.first.inform(c, root, every)
    local function set(name, value, type)
        return quote(root .. '.ManagementServer.' .. name) .. ':{"value":'
               .. value .. ',"type":"xsd:' .. type .. '"}'
    end
    return several.first.give(c, '{"method":"SetParameterValues","id":'
           .. '"first-inform","ParameterList":{'
           .. set('PeriodicInformEnable', 'true', 'boolean') .. ','
           .. set('PeriodicInformInterval', every, 'unsignedInt') .. ','
           .. set('PeriodicInformTime', quote(several.first.phase(c, every)),
                  'dateTime') .. '},' .. several.first.note)
end

-- true when there is something to be done
function several.first.contact(c, root)
    local every = string.match(c.rule, ' inform=(%d+)')
    local rotate = string.find(c.rule, ' rotate', 1, true)
    if not every and not rotate then
        return false
    end
    check_keys(c)
    root = root ~= '' and root or call('HGET', c.k[DEVICE], 'root') or 'Device'
    local given = every and several.first.inform(c, root, every)
    return rotate and several.first.give(c, '{"method":"RotateCredentials",'
                          .. '"id":"first-credentials",' .. several.first.note)
           or given
end
