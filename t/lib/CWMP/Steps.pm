package CWMP::Steps;

# A session whose every step matters: what must not happen twice, what may not
# be lost, what may be read again.  A test does harm before one of its POSTs,
# and looks whether anybody could notice.
#
#   for my $k (0 .. $POSTS - 1) {
#       my ($cpe, $trace) = session_with($t, "A$k", $k, sub {
#           my ($cpe, $post, $worker) = @_; ...
#       });
#       undisturbed($t, $cpe, $trace, "harm before POST $k");
#   }
#
# The worker is the one that answered last, where the server has $WORKER.

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT_OK = qw(session_with undisturbed comes_back big_list $BIG
                    $IN_TIME $POSTS $WORKER);

our $POSTS = 7;                     # Inform, empty, and an answer for each RPC
our $BIG = 14_000;                  # parameters of a big_list()
# the machine may be slow: no work is to be put off for that
our $IN_TIME = 'cwmp_overload off;';
our $WORKER = 'add_header X-Worker $pid always;';

my $RULES = 'Device.NAT.PortMapping.';
my $RPCS = 'AddObject SetParameterValues SetParameterValues '
           . 'GetParameterValues DeleteObject';


sub step_tasks {
    return (
        { id => 'add', method => 'AddObject', ObjectName => $RULES,
          values => { ExternalPort => { value => 8080,
                                        type => 'xsd:unsignedInt' } } },
        { id => 'set', method => 'SetParameterValues', ParameterList => {
          'Device.Time.NTPServer1' => { value => 'ntp.test',
                                        type => 'xsd:string' } } },
        { id => 'get', method => 'GetParameterValues',
          ParameterNames => ['Device.Time.'] },
        { id => 'delete', method => 'DeleteObject',
          ObjectName => "${RULES}1." },
    );
}


# One device with these tasks has its session; $harm is done before POST k.
sub session_with {
    my ($t, $serial, $k, $harm, %opt) = @_;
    my $worker;

    my $cpe = $t->cpe(serial => $serial, %opt,
        before_post => sub {
            my ($cpe, $post) = @_;
            return $post->{n} == $k ? $harm->($cpe, $post, $worker) : undef;
        },
        after_post => sub { $worker = $_[2]->header('X-Worker') });

    $t->redis->push_task($cpe->id, step_tasks());
    my $trace = $cpe->run_session('2 PERIODIC');
    return ($cpe, $trace);
}


# A list of 2 MB.
sub big_list {
    return '<ParameterList>' . join('', map {
        "<ParameterValueStruct><Name>Device.Hosts.Host.$_.PhysAddress</Name>"
        . '<Value xsi:type="xsd:string">00:00:5E:00:53:01</Value>'
        . '</ParameterValueStruct>'
    } 1 .. $BIG) . '</ParameterList>';
}


# What Redis still has of the device's tasks.
sub leftovers {
    my ($t, $cpe) = @_;
    my $r = $t->redis;
    return [grep { $r->cmd('EXISTS', $r->device_key($cpe->id, $_)) }
            qw(tasks queue live running waiting)];
}


# A session that went as if nothing had happened.
sub undisturbed {
    my ($t, $cpe, $trace, $name) = @_;

    subtest $name => sub {
        ok $trace->{ok}, 'the session ends well' or diag $trace->{error};
        is scalar(@{ $trace->{steps} }), $POSTS, 'with no POST more than usual';
        is join(' ', map { $_->{method} } $cpe->done), $RPCS,
            'each RPC was carried out once';
        is_deeply [map { "$_->{id} $_->{status}" } $t->redis->results($cpe->id)],
            ['add done', 'set done', 'get done', 'delete done'],
            'each task has its one result';
        is_deeply leftovers($t, $cpe), [], 'nothing is left over';
        is_deeply $cpe->complaints, [], 'a strict CPE does not complain';
    };
}


# What the ACS says about a task and what the CPE knows about it.
sub agrees {
    my ($cpe, $result) = @_;
    my %method = (add => 'AddObject', delete => 'DeleteObject');
    my ($id, $status) = @$result{qw(id status)};
    my $did = $method{$id} && $cpe->count($method{$id});

    return $status eq 'done' if !defined $did;
    return 0 if $status !~ /^(?:done|lost)$/
                && !($id eq 'delete' && $status eq 'fault');
    return $did <= 1 && !($status eq 'done' && !$did)
           && !($status eq 'fault' && $did);
}


# It begins anew: what the ACS says of its tasks is what it did.
sub comes_back {
    my ($t, $cpe, $name) = @_;
    $cpe->{before_post} = undef;
    my $trace = $cpe->run_session('2 PERIODIC');
    my @results = $t->redis->results($cpe->id);

    subtest "$name: it comes back" => sub {
        ok $trace->{ok}, 'the session ends well' or diag $trace->{error};
        is_deeply [sort map { $_->{id} } @results], [qw(add delete get set)],
            'each task has one result';
        is_deeply [grep { !agrees($cpe, $_) } @results], [],
            'which is what the CPE did, once' or diag explain [$cpe->done];
        is_deeply leftovers($t, $cpe), [], 'nothing is left over';
    };
    return map { "$_->{id} $_->{status}" } @results;
}

1;
