package Bench::Swarm;

# Runs the swarm on the second core and says what its sessions cost the ACS on
# the first: measure().  A run that goes wrong is an error, since what it cost
# means nothing.

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use List::Util qw(max sum0);

use CWMP::Daemon qw(project_root slurp);

our @EXPORT_OK = qw(swarm measure device_id swarm_file start_swarm swarm_result
                    spread);

my $n = 0;


sub swarm_file {
    my $file = $ENV{TEST_SWARM} || project_root() . '/build/bench/swarm';
    -x $file or die "no $file: make swarm\n";
    return $file;
}


# More local addresses, since each has 28,000 ports only.
sub spread { return ('--source', join ',', map { "127.0.0.$_" } 2 .. 9) }


# The ID as the swarm's CPEs have it with these options.
sub device_id {
    my ($class, $number) = @_;
    return sprintf '00D09E-%s-%08d', $class, $number;
}


sub start_swarm {
    my ($dir, @argv) = @_;
    my $run = CWMP::Daemon->new(name => 'swarm');

    $run->{result} = "$dir/swarm" . ++$n;
    $run->spawn([swarm_file(), '--quiet', '--json', "$run->{result}.json",
                 @argv], output => "$run->{result}.log", own_group => 1);
    return $run;
}


sub swarm_result {
    my ($run, $seconds) = @_;

    if (!$run->wait_exit($seconds)) {
        $run->end_with(5, 'TERM');
        die "the swarm did not end within $seconds s\n";
    }
    my ($json, $log) = map { slurp("$run->{result}.$_") } qw(json log);
    unlink map { "$run->{result}.$_" } qw(json log);
    my $r = eval { JSON::PP::decode_json($json) }
        or die "the swarm has no result: $log\n";
    return $r;
}


# All sessions have to come to their end.
sub swarm {
    my ($dir, $seconds, @argv) = @_;
    my $r = swarm_result(start_swarm($dir, @argv), $seconds);

    if ($r->{failed}{total} || !$r->{sessions}) {
        my %why = map { ($_ => $r->{failed}{$_}) }
                  grep { $r->{failed}{$_} } keys %{ $r->{failed} };
        die "sessions failed: ", JSON::PP->new->canonical->encode(
            { %why, notes => $r->{notes} }), "\n";
    }
    return $r;
}


# Figures of one run; latencies are those of the kind of POST that has the
# highest.
sub measure {
    my ($stand, $seconds, @argv) = @_;
    my $before = $stand->usage;
    my $r = swarm($stand->{dir}, $seconds, @argv);
    my $after = $stand->usage;
    my @kinds = grep { !/^(?:session$|\()/ } keys %{ $r->{latency_us} };
    my %top = map { my $p = $_; ($p => max(map { $r->{latency_us}{$_}{$p} }
                                           @kinds)) } qw(p50 p99);
    my $percent = 100 / ($r->{seconds} || 1);
    my $used = $after->{worker} - $before->{worker} + $after->{redis}
               - $before->{redis};
    return {
        busy => $used / 1e6 * $percent,
        swarm_waited => $r->{waited_seconds} * $percent,
        map({ ("${_}_waited" => ($after->{"${_}_waited"}
              - $before->{"${_}_waited"}) / 1e6 * $percent) }
            qw(worker redis)),
        worker_us => ($after->{worker} - $before->{worker}) / $r->{sessions},
        redis_us => ($after->{redis} - $before->{redis}) / $r->{sessions},
        rate => $r->{sessions_per_second},
        p50_ms => $top{p50} / 1000, p99_ms => $top{p99} / 1000,
        rss_mb => $stand->worker_memory->{rss} / 1048576,
        swarm_us => $r->{cpu_seconds} * 1e6 / $r->{sessions},
        sessions => $r->{sessions}, requests => $r->{acs_requests},
        posts => $r->{posts}, resumed => $r->{tls_resumed},
        full => $r->{tls_full},
    };
}

1;
