package CWMP::Model;

# A device's data model: parameters (path => type, value, writable), objects,
# and the tables that rows can be added to.  Two sources: tr181(), a small
# gateway written below, and load_csv(), a real device's dump with the columns
# path,object,writable,type,value.  A dump is told as it is: types are spelled
# as the device spells them, and no value is hidden, since the device that was
# asked had hidden its own.
#
# What goes wrong dies with a CWMP::Model::Fault: {code}, {string} and, for
# SetParameterValues, {spv} as a list of [path, code, string].

use strict;
use warnings;

use Encode ();

my %STRING = (9001 => 'Request denied', 9002 => 'Internal error',
              9003 => 'Invalid arguments', 9004 => 'Resources exceeded',
              9005 => 'Invalid parameter name',
              9006 => 'Invalid parameter type',
              9007 => 'Invalid parameter value',
              9008 => 'Attempt to set a non-writable parameter',
              9000 => 'Method not supported', 9010 => 'Download failure',
              9011 => 'Upload failure');

# path  type  writable  value; a path that ends in '.' is an object, and
# 'table' one whose rows the ACS may add and delete.
my $TR181 = <<'MODEL';
Device.RootDataModelVersion string - 2.16
Device.DeviceInfo.Manufacturer string - Acme
Device.DeviceInfo.ManufacturerOUI string - 00D09E
Device.DeviceInfo.ModelName string - HG1 Home Gateway
Device.DeviceInfo.ProductClass string - HG1
Device.DeviceInfo.SerialNumber string - 0001
Device.DeviceInfo.HardwareVersion string - A1
Device.DeviceInfo.SoftwareVersion string - 4.0.2
Device.DeviceInfo.ProvisioningCode string w
Device.DeviceInfo.UpTime unsignedInt - 0
Device.DeviceInfo.MemoryStatus.Total unsignedInt - 262144
Device.DeviceInfo.MemoryStatus.Free unsignedInt - 131072
Device.ManagementServer.URL string w http://127.0.0.1:7547/cwmp
Device.ManagementServer.Username string w
Device.ManagementServer.Password string w
Device.ManagementServer.PeriodicInformEnable boolean w 1
Device.ManagementServer.PeriodicInformInterval unsignedInt w 3600
Device.ManagementServer.PeriodicInformTime dateTime w 0001-01-01T00:00:00Z
Device.ManagementServer.ParameterKey string -
Device.ManagementServer.ConnectionRequestURL string - http://192.0.2.7:7547/cr
Device.ManagementServer.ConnectionRequestUsername string w acs
Device.ManagementServer.ConnectionRequestPassword string w
Device.Time.Enable boolean w 1
Device.Time.Status string - Synchronized
Device.Time.NTPServer1 string w ntp.example
Device.Time.NTPServer2 string w
Device.Time.CurrentLocalTime dateTime - 2025-01-01T00:00:00Z
Device.Time.LocalTimeZone string w CET-1CEST,M3.5.0,M10.5.0/3
Device.IP.IPv4Enable boolean w 1
Device.IP.InterfaceNumberOfEntries unsignedInt - 2
Device.IP.Interface. table
Device.IP.Interface.1.Enable boolean w 1
Device.IP.Interface.1.Status string - Up
Device.IP.Interface.1.Name string - wan0
Device.IP.Interface.1.MaxMTUSize unsignedInt w 1500
Device.IP.Interface.1.IPv4Address.1.IPAddress string w 192.0.2.7
Device.IP.Interface.1.IPv4Address.1.SubnetMask string w 255.255.255.0
Device.IP.Interface.1.Stats.BytesReceived unsignedLong - 4294967296
Device.IP.Interface.1.Stats.BytesSent unsignedLong - 18446744073709551615
Device.IP.Interface.2.Enable boolean w 1
Device.IP.Interface.2.Status string - Up
Device.IP.Interface.2.Name string - lan0
Device.IP.Interface.2.IPv4Address.1.IPAddress string w 192.168.1.1
Device.IP.Interface.2.IPv4Address.1.SubnetMask string w 255.255.255.0
Device.NAT.PortMappingNumberOfEntries unsignedInt - 1
Device.NAT.PortMapping. table
Device.NAT.PortMapping.1.Enable boolean w 1
Device.NAT.PortMapping.1.Interface string w Device.IP.Interface.1
Device.NAT.PortMapping.1.ExternalPort unsignedInt w 8022
Device.NAT.PortMapping.1.InternalPort unsignedInt w 22
Device.NAT.PortMapping.1.InternalClient string w 192.168.1.10
Device.NAT.PortMapping.1.Protocol string w TCP
Device.NAT.PortMapping.1.Description string w ssh
Device.WiFi.Radio.1.Enable boolean w 1
Device.WiFi.Radio.1.Channel unsignedInt w 6
Device.WiFi.Radio.1.TransmitPower int w -1
Device.WiFi.SSIDNumberOfEntries unsignedInt - 1
Device.WiFi.SSID. table
Device.WiFi.SSID.1.Enable boolean w 1
Device.WiFi.SSID.1.SSID string w Café & <home>
Device.WiFi.SSID.1.BSSID string - 00:D0:9E:00:00:01
Device.DHCPv4.Server.Pool. table
Device.DHCPv4.Server.Pool.1.Enable boolean w 1
Device.DHCPv4.Server.Pool.1.MinAddress string w 192.168.1.100
Device.DHCPv4.Server.Pool.1.MaxAddress string w 192.168.1.200
Device.DHCPv4.Server.Pool.1.LeaseTime int w 86400
MODEL

my %HIDDEN = map { ($_ => 1) } qw(Password ConnectionRequestPassword
                                  STUNPassword KeyPassphrase PreSharedKey);


# --- building --------------------------------------------------------------

sub new {
    my ($class) = @_;
    return bless { param => {}, object => {}, next => {}, row => {},
                   hidden => {} }, $class;
}


sub tr181 {
    my ($class) = @_;
    my $self = $class->new;
    $self->{hidden} = \%HIDDEN;

    for my $line (split(/\n/, Encode::decode_utf8($TR181))) {
        my ($path, $type, $writable, $value) = split(/ /, $line, 4);
        if ($type eq 'table') {
            $self->add_object_path($path, 1);
            next;
        }
        $self->add_param($path, $type, $value // '', $writable eq 'w');
    }

    for my $row (grep { $self->writable_table(table_of($_)) }
                 keys %{ $self->{object} })
    {
        $self->{object}{$row} = 1;
    }
    $self->learn_rows;
    return $self;
}


sub load_csv {
    my ($class, $file) = @_;
    my $self = $class->new;
    my ($header, @rows) = read_csv($file);

    die "$file: expected path,object,writable,type,value\n"
        if join(',', @$header) ne 'path,object,writable,type,value';

    for my $row (@rows) {
        my ($path, $object, $writable, $type, $value) = @$row;
        $self->{id}{$1} = $value if $path =~ /^DeviceID\.(\w+)$/;
        next unless $path =~ /^(?:Device|InternetGatewayDevice)\./;
        next if $path =~ /[^\x20-\x7e]/;
        if ($object eq 'true') {
            $self->add_object_path($path, $writable eq 'true');
            next;
        }
        $self->add_param($path, csv_type($type), $value // '',
                         $writable eq 'true');
        $self->{param}{$path}{spelled} = $type =~ s/^xsd://r;
    }
    $self->learn_rows;
    return $self;
}


# Values may hold commas, doubled quotes and line breaks.
sub read_csv {
    my ($file) = @_;
    open(my $fh, '<:raw', $file) or die "$file: $!\n";
    my $text = do { local $/; readline($fh) };
    $text = eval { Encode::decode('UTF-8', $text, Encode::FB_CROAK) } // $text;

    my (@rows, @row);
    while ($text =~ /\G(?:"((?:[^"]|"")*)"|([^,\n]*?))(,|\r?\n|\z)/gc) {
        my ($quoted, $plain, $end) = ($1, $2, $3);
        $quoted =~ s/""/"/g if defined $quoted;
        push @row, $quoted // $plain;
        next if $end eq ',';
        push @rows, [@row] if @row > 1;
        @row = ();
        last if $end eq '';
    }
    return @rows;
}


sub csv_type {
    my ($type) = @_;
    $type =~ s/^xsd://;
    my %known = (unsignedint => 'unsignedInt', Int => 'int', '' => 'string',
                 integer => 'int', Boolean => 'boolean',
                 base64 => 'base64Binary');
    return $known{$type} // $type;
}


sub add_param {
    my ($self, $path, $type, $value, $writable) = @_;

    $self->{param}{$path} = { type => $type, value => $value,
                              writable => $writable ? 1 : 0,
                              notification => 0 };
    while ($path =~ s/[^.]+\.?$// && length $path) {
        $self->{object}{$path} //= 0;
    }
}


sub add_object_path {
    my ($self, $path, $writable) = @_;
    $self->{object}{$path} = $writable ? 1 : 0;
    while ($path =~ s/[^.]+\.$// && length $path) {
        $self->{object}{$path} //= 0;
    }
}


# What a row of each table looks like, so that AddObject can make one.
sub learn_rows {
    my ($self) = @_;

    for my $path (sort keys %{ $self->{param} }) {
        my ($table, $n, $leaf) = $path =~ /^(.+?\.)(\d+)\.(.+)$/ or next;
        $self->{row}{$table}{$leaf} //= $self->{param}{$path}
            if $leaf !~ /\d+\./;
        $self->{next}{$table} = $n + 1 if $n >= ($self->{next}{$table} // 1);
    }
}


sub clone {
    my ($self) = @_;
    my $copy = ref($self)->new;
    $copy->{param}{$_} = { %{ $self->{param}{$_} } } for keys %{ $self->{param} };
    $copy->{object} = { %{ $self->{object} } };
    $copy->{next} = { %{ $self->{next} } };
    @$copy{qw(row hidden id)} = @$self{qw(row hidden id)};
    return $copy;
}


# --- looking ---------------------------------------------------------------

sub root {
    my ($self) = @_;
    return exists $self->{object}{'InternetGatewayDevice.'}
        ? 'InternetGatewayDevice.' : 'Device.';
}


# What a dump says of the device itself: OUI, ProductClass, ...
sub identity { return $_[0]{id} }
sub count { return scalar keys %{ $_[0]{param} } }
sub has { return exists $_[0]{param}{ $_[1] } }
sub paths { return sort keys %{ $_[0]{param} } }


sub get {
    my ($self, $path) = @_;
    my $p = $self->{param}{$path} or return undef;
    return $p->{value};
}


# Changes a value from inside (not by the ACS).
sub put {
    my ($self, $path, $value) = @_;
    my $p = $self->{param}{$path} or die "no parameter $path\n";
    $p->{value} = $value;
}


sub shown {
    my ($self, $path) = @_;
    my $p = $self->{param}{$path};
    my ($leaf) = $path =~ /([^.]+)$/;
    return [$path, $p->{spelled} // $p->{type},
            $self->{hidden}{$leaf} ? '' : $p->{value}];
}


# Paths of the parameters that a name of GetParameterValues means.
sub below {
    my ($self, $name) = @_;

    return $self->paths if $name eq '';
    if ($name !~ /\.$/) {
        return $name if $self->has($name);
        throw(9005);
    }
    throw(9005) unless exists $self->{object}{$name};
    return grep { index($_, $name) == 0 } $self->paths;
}


sub table_of {
    my ($row) = @_;
    return $row =~ /^(.*\.)\d+\.$/ ? $1 : '';
}


sub writable_table {
    my ($self, $table) = @_;
    return length $table && $self->{object}{$table};
}


# [path, writable] rows of GetParameterNames.
sub names {
    my ($self, $path, $next_level) = @_;
    my $is_param = $self->has($path);

    throw(9003) if $is_param && $next_level;
    return [$path, $self->{param}{$path}{writable}] if $is_param;
    throw(9005) unless $path eq '' || exists $self->{object}{$path};

    my @all = sort(keys %{ $self->{object} }, keys %{ $self->{param} });
    my @found = grep { index($_, $path) == 0 } @all;
    @found = grep { /^\Q$path\E[^.]+\.?$/ } @found if $next_level;

    return map { [$_, $self->{object}{$_} // $self->{param}{$_}{writable}] }
           @found;
}


# --- changing --------------------------------------------------------------

# [path, xsi:type's local name, value] each; all or nothing.
sub set {
    my ($self, @wanted) = @_;
    my (%seen, @bad);

    for my $w (@wanted) {
        my ($path, $type, $value) = @$w;
        throw(9003) if $seen{$path}++;
        my $code = $self->why_not($path, $type, $value) or next;
        push @bad, [$path, $code, $STRING{$code}];
    }
    throw(9003, @bad) if @bad;

    $self->{param}{ $_->[0] }{value} = $_->[2] for @wanted;
    return scalar @wanted;
}


sub why_not {
    my ($self, $path, $type, $value) = @_;
    my $p = $self->{param}{$path} or return 9005;

    return 9008 unless $p->{writable};
    return 9006 if ($type // '') ne $p->{type};
    return 9007 unless valid_value($type, $value);
    return 0;
}


sub valid_value {
    my ($type, $value) = @_;

    return $value =~ /^(?:0|1|true|false)$/ if $type eq 'boolean';
    return in_range($value, '-2147483648', '2147483647') if $type eq 'int';
    return in_range($value, '0', '4294967295') if $type eq 'unsignedInt';
    return in_range($value, '-9223372036854775808', '9223372036854775807')
        if $type eq 'long';
    return in_range($value, '0', '18446744073709551615')
        if $type eq 'unsignedLong';
    return $value =~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?
                      (?:Z|[-+]\d\d:\d\d)?$/x if $type eq 'dateTime';
    return $value =~ m{^[A-Za-z0-9+/\s]*={0,2}\s*$} if $type =~ /^base64/;
    return $value =~ /^(?:[0-9A-Fa-f]{2})*$/ if $type eq 'hexBinary';
    return 1;
}


# Decimal text of any length, compared without ever being a float.
sub in_range {
    my ($text, $low, $high) = @_;
    return 0 unless $text =~ /^-?\d{1,20}$/;
    return compare($text, $low) >= 0 && compare($text, $high) <= 0;
}


sub compare {
    my ($x, $y) = map { s/^(-?)0+(?=\d)/$1/r =~ s/^-0$/0/r } @_;
    my ($nx, $ny) = map { /^-/ ? 1 : 0 } $x, $y;

    return $ny <=> $nx if $nx != $ny;
    my $order = length $x <=> length $y || $x cmp $y;
    return $nx ? -$order : $order;
}


sub add_row {
    my ($self, $table) = @_;

    throw(9005) unless $table =~ /\.$/ && exists $self->{object}{$table};
    throw(9005) unless $self->{object}{$table} && $table !~ /\.\d+\.$/;

    my $n = $self->{next}{$table}++ || 1;
    $self->{next}{$table} = 2 if $n == 1;
    $self->{object}{"$table$n."} = 1;

    my $row = $self->{row}{$table} || {};
    for my $leaf (keys %$row) {
        my $type = $row->{$leaf}{type};
        $self->add_param("$table$n.$leaf", $type, default_value($type),
                         $row->{$leaf}{writable});
    }
    $self->recount($table);
    return $n;
}


sub default_value {
    my ($type) = @_;
    return '0001-01-01T00:00:00Z' if $type eq 'dateTime';
    return $type =~ /^(?:boolean|int|long|unsignedInt|unsignedLong)$/ ? '0' : '';
}


sub delete_row {
    my ($self, $path) = @_;
    my $table = table_of($path);

    throw(9005) unless exists $self->{object}{$path} && length $table;
    throw(9005) unless $self->{object}{$path};

    for my $set (@$self{qw(param object)}) {
        delete @$set{ grep { index($_, $path) == 0 } keys %$set };
    }
    $self->recount($table);
}


sub recount {
    my ($self, $table) = @_;
    my ($name) = $table =~ /^(.*)\.$/;
    my $counter = $self->{param}{"${name}NumberOfEntries"} or return;
    $counter->{value} = grep { /^\Q$table\E\d+\.$/ } keys %{ $self->{object} };
}


# --- faults ----------------------------------------------------------------

sub fault_string { return $STRING{ $_[0] } // 'Vendor fault' }


sub throw {
    my ($code, @spv) = @_;
    die bless { code => $code, string => fault_string($code), spv => \@spv },
        'CWMP::Model::Fault';
}

1;
