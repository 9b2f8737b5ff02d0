#!/usr/bin/perl

# Real devices, as dumps of all their parameters (../shared/devices), and one
# of our own making (t/devices), each played by the CPE that behaves: names,
# values, setting and attributes of the whole model, as tasks.  What Redis then
# holds is compared with the file, which is read once more here by a parser of
# its own, value by value and type by type.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode ();
use JSON::PP ();
use Test::More;

use CWMP::Test qw(slurp);

my $REAL = "$FindBin::Bin/../../shared/devices";
my $JSON_MAX = 60_000;          # of a result's list: it is cut at 64 KB

# Types of the files, in lower case, and what Redis says.
my %TYPE = ('' => 'string', integer => 'int', base64 => 'base64Binary',
            map { (lc $_ => $_) } qw(string boolean int unsignedInt long
            unsignedLong decimal dateTime base64Binary hexBinary));

# What is set: as a task has it, and as the device then has it.
my %NEW = (
    string => [" caf\x{e9} & <b>\"x\" ]]> "], boolean => [JSON::PP::true, '1'],
    int => [-2147483648], unsignedInt => [4294967295],
    long => ['9223372036854775807'], unsignedLong => ['18446744073709551615'],
    decimal => ['+01.50', '1.5'], base64Binary => ['/+8=', '/+8='],
    dateTime => ['2026-01-02T05:04:05+02:00', '2026-01-02T03:04:05Z'],
    hexBinary => ['0aff', '0AFF'],
);

my $t = CWMP::Test->new;
my $redis = $t->redis;


# --- the file --------------------------------------------------------------

# Letter by letter, since the CPE has a parser made of patterns.
sub rows_of {
    my ($file) = @_;
    my (@rows, @row, $quoted);
    my $cell = '';

    for my $c (split(//, Encode::decode('UTF-8', slurp($file)))) {
        if ($c eq '"') {
            $quoted = !$quoted;
            $cell .= '"' if $quoted && length $cell;    # a doubled one
        } elsif ($quoted || ($c ne ',' && $c ne "\n")) {
            $cell .= $c;
        } else {
            push @row, $cell;
            $cell = '';
            next if $c eq ',';
            push @rows, [@row];
            @row = ();
        }
    }
    return grep { $_->[0] =~ /^(?:Device|InternetGatewayDevice)\./ } @rows;
}


# { param => path => [type, value, writable], object => path => writable }
sub read_dump {
    my ($file) = @_;
    my (%param, %object);

    for my $row (rows_of($file)) {
        my ($path, $is_object, $writable, $type, $value) = @$row;
        $writable = $writable eq 'true' ? 1 : 0;
        $object{$path} = $writable if $is_object eq 'true';
        $param{$path} = ['xsd:' . $TYPE{ lc($type =~ s/^xsd://r) }, $value,
                         $writable] if $is_object ne 'true';
    }
    return { param => \%param, object => \%object };
}


# Objects whose lists of names fit into a result, and cover the model.
sub parts {
    my ($dump, $path) = @_;
    my @below = grep { index($_, $path) == 0 && $_ ne $path }
                keys %{ $dump->{object} }, keys %{ $dump->{param} };
    my $size = 0;

    $size += 60 + length for @below;
    return $path if $size < $JSON_MAX;
    return map { parts($dump, $_) } grep { /^\Q$path\E[^.]+\.$/ } @below;
}


# --- what is done with each ------------------------------------------------

# A session with these tasks; their results by id.
sub carry_out {
    my ($cpe, @tasks) = @_;
    $redis->push_task($cpe->id, @tasks);
    my $trace = $cpe->run_session('2 PERIODIC');
    diag $trace->{error} unless $trace->{ok};

    my %result = map { ($_->{id} => $_) } $redis->results($cpe->id);
    my @bad = grep { ($result{ $_->{id} }{status} // 'none') ne 'done' } @tasks;
    is scalar(@bad), 0, @tasks . ' tasks are done'
        or diag explain $result{ $bad[0]{id} };
    return \%result;
}


sub names_task {
    my ($id, $path, $next) = @_;
    return { method => 'GetParameterNames', id => $id, ParameterPath => $path,
             NextLevel => $next ? JSON::PP::true : JSON::PP::false };
}


sub written {
    my ($result) = @_;
    return { map { ($_->{Name} => $_->{Writable} ? 1 : 0) }
             @{ $result->{response}{ParameterList} } };
}


sub names {
    my ($cpe, $dump, $root) = @_;
    my @parts = parts($dump, $root);
    my %all = (%{ $dump->{object} },
               map { ($_ => $dump->{param}{$_}[2]) } keys %{ $dump->{param} });
    my %level = map { ($_ => $all{$_}) } grep { /^\Q$root\E[^.]+\.?$/ }
                keys %all;

    my $result = carry_out($cpe, names_task('all', $root, 0),
        names_task('level', $root, 1), names_task('top', '', 1),
        map { names_task("part$_", $parts[$_], 0) } 0 .. $#parts);
    my $whole = $result->{all}{response};
    is $whole->{count} // scalar(@{ $whole->{ParameterList} }),
        scalar(keys %all), 'GetParameterNames: as many as the file has';
    is_deeply written($result->{level}), \%level, '... of the next level';
    is_deeply [keys %{ written($result->{top}) }], [$root], '... the root';

    my %got = map { %{ written($result->{"part$_"}) } } 0 .. $#parts;
    my %want = map { ($_ => $all{$_}) } grep {
        my $path = $_;
        grep { index($path, $_) == 0 } @parts;
    } keys %all;
    is_deeply \%got, \%want, '... each with Writable: ' . keys %want;
}


sub stored {
    my ($cpe, $prefix) = @_;
    my $params = $redis->params($cpe->id, $prefix);
    return { map { ($_ => [@{ $params->{$_} }{qw(type value)}]) }
             keys %$params };
}


sub values_of {
    my ($cpe, $dump, $root) = @_;
    my $result = carry_out($cpe, { method => 'GetParameterValues',
                                   id => 'values', ParameterNames => [$root] });
    my $got = stored($cpe);
    my %want = map { ($_ => [@{ $dump->{param}{$_} }[0, 1]]) }
               keys %{ $dump->{param} };
    my @wrong = grep { "@{ $got->{$_} || ['nothing'] }" ne "@{ $want{$_} }" }
                sort keys %want;

    is scalar(keys %$got), scalar(keys %want),
        'TYP-05 GetParameterValues: :params has ' . keys(%want);
    is scalar(@wrong), 0, 'TYP-05 ... each with its type and value'
        or diag map { substr("$_: @{ $got->{$_} || ['nothing'] }", 0, 200)
                      . "\n" } @wrong[0 .. ($#wrong < 4 ? $#wrong : 4)];
    my $response = $result->{values}{response};
    is $response->{count} // scalar(@{ $response->{ParameterList} }),
        scalar(keys %want), '... the result has their number';
}


# One writable parameter of each type: path => [type, new value, as stored].
sub one_of_each {
    my ($dump) = @_;
    my %found;

    for my $path (sort keys %{ $dump->{param} }) {
        my ($type, undef, $writable) = @{ $dump->{param}{$path} };
        next if !$writable || $found{$type}
                || $path =~ /\.ManagementServer\.(?!PeriodicInformTime)/;
        my $new = $NEW{ $type =~ s/^xsd://r };
        $found{$type} = [$path, $new->[0], $new->[1] // $new->[0]];
    }
    return %found;
}


sub setting {
    my ($cpe, $dump) = @_;
    my %set = one_of_each($dump);
    my @paths = map { $_->[0] } values %set;
    my ($fixed) = sort grep { !$dump->{param}{$_}[2] }
                  keys %{ $dump->{param} };
    my $type = $dump->{param}{$fixed}[0];

    my %types = map { $_->[0] => 1 } grep { $_->[2] } values %{ $dump->{param} };
    is_deeply [sort keys %set], [sort keys %types],
        'TYP-01 SetParameterValues of each type that is writable: '
        . join(' ', sort keys %types);
    my $result = carry_out($cpe,
        { method => 'SetParameterValues', id => 'set', ParameterList => {
            map { ($_->[0] => $_->[1]) } values %set } },
        { method => 'GetParameterValues', id => 'back',
          ParameterNames => \@paths });
    is_deeply $result->{set}{response}, { Status => 0 }, '... are taken';
    my $got = stored($cpe);

    for my $kind (sort keys %set) {
        my ($path, undef, $want) = @{ $set{$kind} };
        is $cpe->value($path), $want, "TYP-01 the device has $path, $kind";
        is_deeply $got->{$path}, [$kind, $want], 'TYP-01 ... which reads back';
    }

    $redis->push_task($cpe->id, { method => 'SetParameterValues', id => 'not',
        ParameterList => { $fixed => { type => $type,
            value => $NEW{ $type =~ s/^xsd://r }[0] } } });
    $cpe->run_session;
    my ($fault) = map { $_->{ParameterName} . ' ' . $_->{FaultCode} }
        @{ $redis->result($cpe->id, 'not')->{fault}{SetParameterValuesFault} };
    is $fault, "$fixed 9008", 'what is not writable is refused by name';
}


sub attributes {
    my ($cpe, $dump) = @_;
    my @p = (sort keys %{ $dump->{param} })[3, 4, 5, 6];
    my $get = sub { return { method => 'GetParameterAttributes', id => shift,
                             ParameterNames => \@p } };
    my $result = carry_out($cpe, $get->('was'),
        { method => 'SetParameterAttributes', id => 'change', ParameterList => [
            { Name => $p[0], Notification => 2 },
            { Name => $p[1], Notification => 1, AccessList => [] },
            { Name => $p[2], AccessList => ['Subscriber', 'X_ACME_Desk'] }] },
        $get->('is'));
    my ($was, $is) = map { my $id = $_;
        [map { "$_->{Notification} @{ $_->{AccessList} }" }
         @{ $result->{$id}{response}{ParameterList} }] } qw(was is);

    is_deeply $was, [('0 Subscriber') x 4], 'attributes as the device had them';
    is_deeply $is, ['2 Subscriber', '1 ', '0 Subscriber X_ACME_Desk',
                    '0 Subscriber'], '... changed, and no others';
}


sub device {
    my ($file) = @_;
    my $dump = read_dump($file);
    my ($id) = slurp($file) =~ /^DeviceID\.ID,.*,(\S+?)\s*$/m;
    my $cpe = $t->cpe(device => $file);
    my $root = $cpe->model->root;

    is $cpe->id, $id, scalar(keys %{ $dump->{param} }) . " parameters of $id";
    ok $cpe->run_session('0 BOOTSTRAP', '1 BOOT')->{ok}, 'is known';
    is $redis->device($id)->{root} . '.', $root, "PAR-05 with the root $root";
    names($cpe, $dump, $root);
    values_of($cpe, $dump, $root);
    setting($cpe, $dump);
    attributes($cpe, $dump);
    is_deeply $cpe->complaints, [], 'a strict CPE has nothing to object to';
}


for my $file (glob("$FindBin::Bin/devices/*.csv")) {
    subtest $file =~ s{.*/}{}r => sub { device($file) };
}

subtest 'real devices' => sub {
    plan skip_all => '../shared is absent' unless -d $REAL;
    for my $file (glob("$REAL/*.csv")) {
        subtest $file =~ s{.*/}{}r => sub { device($file) };
    }
};

done_testing;
