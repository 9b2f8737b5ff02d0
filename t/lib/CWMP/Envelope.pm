package CWMP::Envelope;

# Builders of CWMP envelopes as a CPE (or, for a fake ACS, an ACS) writes
# them.  Each takes plain Perl values and returns bytes.  Options in a trailing
# list of pairs, common to all:
#
#   ns => 'urn:dslforum-org:cwmp-1-2'   namespace of the CWMP elements
#   header => '<x:More .../>'           more header elements, as they are
#   soap => 'soap-env'                  prefix of the SOAP elements
#   prolog => '<?xml ...?>'             what comes before the envelope
#
# To build something odd, build the inner part by hand and call envelope().

use strict;
use warnings;

use Encode ();
use Exporter 'import';
use POSIX ();

use CWMP::XML qw(xml_escape xml_unescape);

our @EXPORT_OK = qw(
    envelope inform request response fault transfer_complete
    autonomous_transfer_complete default_params gpv_response gpn_response
    gpa_response
    spv_response add_response delete_response download_response
    rpc_methods_response parameter_list string_list xml_escape xml_unescape
    iso_time $UNKNOWN_TIME
);
our %EXPORT_TAGS = (all => \@EXPORT_OK);

our $UNKNOWN_TIME = '0001-01-01T00:00:00Z';

my $PROLOG = '<?xml version="1.0" encoding="UTF-8"?>' . "\n";
my $NS = 'urn:dslforum-org:cwmp-1-2';


sub envelope {
    my ($inner, %o) = @_;
    my $s = $o{soap} // 'soap-env';
    my $header = $o{header} // '';

    if (defined $o{id}) {
        $header = qq(<cwmp:ID $s:mustUnderstand="1">) . xml_escape($o{id})
                  . "</cwmp:ID>$header";
    }
    $header = "<$s:Header>$header</$s:Header>" if length $header;

    return Encode::encode_utf8(($o{prolog} // $PROLOG)
        . qq(<$s:Envelope xmlns:$s="http://schemas.xmlsoap.org/soap/envelope/")
        . ' xmlns:soap-enc="http://schemas.xmlsoap.org/soap/encoding/"'
        . ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
        . ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        . ' xmlns:cwmp="' . ($o{ns} // $NS) . '">'
        . "$header<$s:Body>$inner</$s:Body></$s:Envelope>");
}


# A method with the given inside, as a request of either side.
sub request {
    my ($id, $method, $inner, %o) = @_;
    $inner //= '';
    return envelope("<cwmp:$method>$inner</cwmp:$method>", %o, id => $id);
}


# response('id-1', 'Reboot'): RebootResponse.
sub response {
    my ($id, $method, $inner, %o) = @_;
    return request($id, "${method}Response", $inner, %o);
}


sub element {
    my ($name, $value) = @_;
    return "<$name>" . xml_escape($value) . "</$name>";
}


sub array {
    my ($name, $type, @items) = @_;
    return qq(<$name soap-enc:arrayType="${type}[) . @items . ']">'
           . join('', @items) . "</$name>";
}


# [name, type, value] each.
sub parameter_list {
    my (@params) = @_;
    return array('ParameterList', 'cwmp:ParameterValueStruct', map {
        my ($name, $type, $value) = @$_;
        $type = "xsd:$type" if length($type // '') && $type !~ /:/;
        my $xsi = length($type // '') ? qq( xsi:type="$type") : '';
        '<ParameterValueStruct>' . element('Name', $name) . "<Value$xsi>"
            . xml_escape($value) . '</Value></ParameterValueStruct>';
    } @params);
}


sub string_list {
    my ($name, @strings) = @_;
    return array($name, 'xsd:string', map { element('string', $_) } @strings);
}


# --- from the CPE ----------------------------------------------------------

# inform(oui => '00D09E', class => 'Box', serial => '1',
#        events => [['2 PERIODIC'], ['M Reboot', 'key']], params => [...],
#        timeout => 60, versions => '1.0,1.4', retry => 0, id => 'i-1')
sub inform {
    my (%o) = @_;
    my $header = $o{header} // '';

    $header .= header('SessionTimeout', $o{timeout}) if defined $o{timeout};
    $header .= header('SupportedCWMPVersions', $o{versions})
        if defined $o{versions};

    my $inner = '<DeviceId>'
        . element('Manufacturer', $o{manufacturer} // 'Acme')
        . element('OUI', $o{oui} // '00D09E')
        . element('ProductClass', $o{class} // 'Box')
        . element('SerialNumber', $o{serial} // '0001') . '</DeviceId>'
        . array('Event', 'cwmp:EventStruct', map {
              my ($code, $key) = ref $_ ? @$_ : ($_);
              '<EventStruct>' . element('EventCode', $code)
              . element('CommandKey', $key) . '</EventStruct>';
          } @{ $o{events} // [['2 PERIODIC']] })
        . '<MaxEnvelopes>1</MaxEnvelopes>'
        . element('CurrentTime', $o{time} // iso_time())
        . element('RetryCount', $o{retry} // 0)
        . parameter_list(@{ $o{params} // default_params() });

    my $id = exists $o{id} ? $o{id} : 'inform-1';
    return request($id, 'Inform', $inner, %o, header => $header);
}


sub header {
    my ($name, $value) = @_;
    return qq(<cwmp:$name soap-env:mustUnderstand="0">) . xml_escape($value)
           . "</cwmp:$name>";
}


sub default_params {
    return [
        ['Device.RootDataModelVersion', 'string', '2.11'],
        ['Device.DeviceInfo.HardwareVersion', 'string', 'A1'],
        ['Device.DeviceInfo.SoftwareVersion', 'string', '4.0.2'],
        ['Device.DeviceInfo.ProvisioningCode', 'string', ''],
        ['Device.ManagementServer.ParameterKey', 'string', ''],
        ['Device.ManagementServer.ConnectionRequestURL', 'string',
         'http://192.0.2.7:7547/cr'],
    ];
}


sub iso_time {
    my ($time) = @_;
    return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime($time // time()));
}


# fault('id-1', 9003, 'Invalid arguments', [path, 9007, 'Invalid value'], ...)
# then perhaps options: ns => ..., faultcode => 'Client'.
sub fault {
    my ($id, $code, $string, @rest) = @_;
    my @spv;
    push @spv, shift @rest while @rest && ref $rest[0];
    my %o = @rest;
    my $s = $o{soap} // 'soap-env';
    my $side = $o{faultcode}
               // ($code =~ /^(?:8003|9003|900[5678]|9021)$/ ? 'Client'
                                                            : 'Server');

    my $inner = element('FaultCode', $code)
                . (defined $string ? element('FaultString', $string) : '')
                . join('', map {
                      '<SetParameterValuesFault>'
                      . element('ParameterName', $_->[0])
                      . element('FaultCode', $_->[1])
                      . element('FaultString', $_->[2])
                      . '</SetParameterValuesFault>'
                  } @spv);

    return envelope("<$s:Fault><faultcode>$side</faultcode>"
        . '<faultstring>CWMP fault</faultstring><detail>'
        . "<cwmp:Fault>$inner</cwmp:Fault></detail></$s:Fault>",
        %o, id => $id);
}


# transfer_complete(key => 'fw-17', code => 0, string => '', id => 'tc-1')
sub transfer_complete {
    my (%o) = @_;
    return request(exists $o{id} ? $o{id} : 'tc-1', 'TransferComplete',
                   element('CommandKey', $o{key}) . fault_struct(%o)
                   . transfer_times(%o), %o);
}


sub autonomous_transfer_complete {
    my (%o) = @_;
    my $inner = element('AnnounceURL', $o{announce})
        . element('TransferURL', $o{url}) . '<IsDownload>1</IsDownload>'
        . element('FileType', $o{type} // '1 Firmware Upgrade Image')
        . '<FileSize>0</FileSize><TargetFileName></TargetFileName>'
        . fault_struct(%o) . transfer_times(%o);
    return request(exists $o{id} ? $o{id} : 'atc-1',
                   'AutonomousTransferComplete', $inner, %o);
}


sub fault_struct {
    my (%o) = @_;
    return '<FaultStruct>' . element('FaultCode', $o{code} // 0)
           . element('FaultString', $o{string}) . '</FaultStruct>';
}


sub transfer_times {
    my (%o) = @_;
    my $failed = $o{code} // 0;
    return element('StartTime', $o{start} // iso_time(time() - 10))
           . element('CompleteTime', $o{complete}
                     // ($failed ? $UNKNOWN_TIME : iso_time()));
}


# --- responses: (id, what, options) ----------------------------------------

# Arrays first, options after them.
sub split_options {
    my (@rest) = @_;
    my @items;
    push @items, shift @rest while @rest && ref $rest[0];
    return (\@items, @rest);
}


sub gpv_response {
    my ($id, @rest) = @_;
    my ($params, %o) = split_options(@rest);
    return response($id, 'GetParameterValues', parameter_list(@$params), %o);
}


# [path, writable] each.
sub gpn_response {
    my ($id, @rest) = @_;
    my ($names, %o) = split_options(@rest);
    return response($id, 'GetParameterNames', array('ParameterList',
        'cwmp:ParameterInfoStruct', map {
            '<ParameterInfoStruct>' . element('Name', $_->[0])
            . element('Writable', $_->[1] ? 1 : 0) . '</ParameterInfoStruct>'
        } @$names), %o);
}


# [path, notification, access...] each.
sub gpa_response {
    my ($id, @rest) = @_;
    my ($rows, %o) = split_options(@rest);
    return response($id, 'GetParameterAttributes', array('ParameterList',
        'cwmp:ParameterAttributeStruct', map {
            my ($path, $notification, @access) = @$_;
            '<ParameterAttributeStruct>' . element('Name', $path)
            . element('Notification', $notification)
            . string_list('AccessList', @access)
            . '</ParameterAttributeStruct>'
        } @$rows), %o);
}


sub spv_response {
    my ($id, $status, %o) = @_;
    return response($id, 'SetParameterValues',
                    element('Status', $status // 0), %o);
}


sub add_response {
    my ($id, $instance, $status, %o) = @_;
    return response($id, 'AddObject', element('InstanceNumber', $instance)
                    . element('Status', $status // 0), %o);
}


sub delete_response {
    my ($id, $status, %o) = @_;
    return response($id, 'DeleteObject', element('Status', $status // 0), %o);
}


# Status 1 has no times yet; Status 0 tells them.
sub download_response {
    my ($id, $status, %o) = @_;
    $status //= 1;
    my $time = $status ? $UNKNOWN_TIME : iso_time();
    return response($id, $o{method} // 'Download', element('Status', $status)
                    . element('StartTime', $o{start} // $time)
                    . element('CompleteTime', $o{complete} // $time), %o);
}


sub rpc_methods_response {
    my ($id, @methods) = @_;
    return response($id, 'GetRPCMethods',
                    string_list('MethodList', @methods));
}

1;
