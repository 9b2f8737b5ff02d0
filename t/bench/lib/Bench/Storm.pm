package Bench::Storm;

# All CPEs of a town come back at once, at three times what the ACS can do: how
# long until they are served, how often is one refused, and how long does a
# task take meanwhile that somebody pushes.  The ACS is configured as
# docs/directives.md recommends: it refuses Informs, which have no cookie yet,
# by limit_conn with 503, while sessions that have begun go on; and it takes one
# connection in each turn, so that the others wait in the kernel, which costs
# nothing.  CPEs come again after the times of TR-069.

use strict;
use warnings;

use JSON::PP ();
use Time::HiRes qw(sleep time);

use Bench::Report qw(table spelled);
use Bench::Swarm qw(start_swarm swarm_result measure device_id spread);

my $TIMES = 3;                          # of capacity
my $AT_ONCE = 100;                      # Informs that are served
my $LIMIT = 6;                          # times the storm's seconds, at most
my $PATIENCE = 30;                      # s, for what is left at its end

my $HTTP = <<'CONF';
    client_header_buffer_size 4k;
    map $http_cookie $bench_begins { "" $server_port; }
    limit_conn_zone $bench_begins zone=storm:64k;
    map $limit_conn_status $bench_retry_after { REJECTED 30; }
CONF
my $LOCATION = <<"CONF";
        location /storm {
            cwmp_acs;
            limit_conn storm $AT_ONCE;
            limit_conn_status 503;
            limit_conn_log_level info;
            add_header Retry-After \$bench_retry_after always;
        }
CONF


sub run {
    my ($b) = @_;
    return if !$b->wants('storm');

    my $stand = $b->stand('storm', connections => 16_384, http => $HTTP,
                          location => $LOCATION);
    my $url = $stand->url('plain', '/storm');
    my $n = $b->{quick} ? 200 : 10_000;
    my $alone = measure($stand, 60, spread(), qw(--class Storm --cpes), $n,
                        '--sessions', $n, $url);
    my $calm = probes($b, $stand, $url, 3, sub { 1 });
    my $cpes = int($TIMES * $alone->{rate} * $b->{storm}) || 1;
    my $run = start_swarm($b->{dir}, spread(), '--storm', $b->{storm},
        '--cpes', $cpes, qw(--class Storm --timeout 30 --tolerate 1000000000
        --duration), $LIMIT * $b->{storm} + 5, $b->{quick} ?
        qw(--retry-min 0.2) : (), $url);
    my $busy = probes($b, $stand, $url, 10_000, sub { $run->alive });
    my $r = swarm_result($run, 60);
    my %all = (%{ $r->{storm} }, capacity => $alone->{rate}, alone => $alone,
               seconds => $r->{seconds}, seconds_of_storm => $b->{storm},
               failed => $r->{failed}, statuses => $r->{statuses},
               said => $r->{notes}, held => $r->{held}, full => $r->{full},
               behind_seconds => $r->{behind_seconds},
               latency_us => $r->{latency_us}, calm => $calm, busy => $busy);

    print_storm(\%all);
    print_million(\%all);
    $stand->stop;
    return \%all;
}


# --- somebody pushes a task ------------------------------------------------

# Each second one, for a CPE that then begins a session, as it does after a
# connection request, and that is refused like others.  Told is the time from
# the push to the result.
sub probes {
    my ($b, $stand, $url, $most, $while) = @_;
    my (%pushed, @runs);
    my $next = time();
    my $n = $b->{probe} // 0;

    while ($most-- > 0 && $while->()) {
        my $id = device_id('Probe', ++$n);
        $pushed{$id} = time() * 1000;
        $stand->redis->push_task($id, { method => 'GetParameterValues',
            id => 'probe', ParameterNames => ['Device.DeviceInfo.'] });
        push @runs, start_swarm($b->{dir}, spread(), qw(--class Probe --cpes 1
            --sessions 1 --retry --duration 300 --tolerate 1000 --first), $n,
            $url);
        @runs = grep { $_->alive || !gone($_) } @runs;
        $next += $b->{quick} ? 0.2 : 1;
        sleep($next - time()) if $next > time();
    }
    $b->{probe} = $n;
    my $until = time() + $PATIENCE;
    for my $run (@runs) {
        my $left = $until - time();
        $run->wait_exit($left > 0.1 ? $left : 0.1) || $run->end_with(1, 'KILL');
    }
    gone($_) for @runs;
    return latencies($stand, \%pushed);
}


sub gone {
    my ($run) = @_;
    unlink map { "$run->{result}.$_" } qw(json log);
    return 1;
}


# By the stream's own clock, which is this machine's.  A task that was not done
# took longer than any that was.
sub latencies {
    my ($stand, $pushed) = @_;
    my @ms;

    for my $id (keys %$pushed) {
        my ($entry) = $stand->redis->results($id) or next;
        my ($at) = $entry->{stream_id} =~ /^(\d+)/;
        push @ms, $at - $pushed->{$id};
    }
    @ms = sort { $a <=> $b } @ms;
    my $last = keys(%$pushed) - 1;
    return { pushed => $last + 1, done => scalar(@ms),
             map { ("p$_" . '_ms' => $ms[int($last * $_ / 100 + 0.5)]) }
             50, 90, 99, 100 };
}


# --- what is told ----------------------------------------------------------

sub print_storm {
    my ($s) = @_;
    my $when = sub { $_[0] ? spelled($_[0], 1) . ' s' : 'never' };
    my $task = sub {
        my ($t) = @_;
        return sprintf '%d pushed, %d done; p50 %s, p90 %s, p99 %s, max %s ms',
            $t->{pushed}, $t->{done}, map { spelled($t->{"p${_}_ms"}, 0)
            || 'never' } 50, 90, 99, 100;
    };

    my $held = !$s->{held} ? 'none' : sprintf '%s, by at most %.1f s: %s',
        spelled($s->{held}, 0), $s->{behind_seconds}, $s->{full} ? 'no more '
        . 'files may be open there' : 'it did not keep up';

    table("Storm: $TIMES times the capacity for $s->{seconds_of_storm} s",
        ['', ''],
        ['capacity, plain, a connection a session', spelled($s->{capacity}, 0)
            . ' sessions/s'],
        ['CPEs', spelled($s->{cpes}, 0)],
        ['held back by the swarm', $held],
        ['served', sprintf '%s in %.0f s', spelled($s->{served}, 0),
            $s->{seconds}],
        map({ ["$_ % are served after", $when->($s->{"s$_"})] }
            50, 90, 99, 100),
        ['refusals of a CPE', sprintf '%.2f, at most %d in a row',
            $s->{refusals} / $s->{cpes}, $s->{refusals_of_one}],
        ['refused by', join ', ', map({ "$_ " . spelled($s->{statuses}{$_}, 0) }
            sort keys %{ $s->{statuses} }), map({ "$_ "
            . spelled($s->{failed}{$_}, 0) } grep { $s->{failed}{$_}
            && !/^(?:total|status)$/ } sort keys %{ $s->{failed} })],
        map({ ["  $_", spelled($s->{said}{$_}, 0)] } sort keys %{ $s->{said} }),
        ['a POST meanwhile (Inform)', sprintf 'p50 %.1f ms, p99 %.1f ms',
            map { $s->{latency_us}{Inform}{$_} / 1000 } qw(p50 p99)],
        ['push to result before it', $task->($s->{calm})],
        ['push to result meanwhile', $task->($s->{busy})]);
}


# What it would be for a million, with what is taken for granted.
sub print_million {
    my ($s) = @_;
    my ($nginx, $redis) = @{ $s->{alone} }{qw(worker_us redis_us)};
    my $until = $s->{s99} || $s->{seconds};
    my $served = ($s->{s99} ? 0.99 * $s->{cpes} : $s->{served}) / $until;
    my $most = 1e6 / ($redis || 1);

    $s->{million} = { served_per_second => $served, redis_bound => $most,
                      minutes_here => 1e6 / $served / 60,
                      minutes_of_redis => 1e6 / $most / 60,
                      nginx_cores => $nginx / ($redis || 1) };
    table('1,000,000 CPEs, by arithmetic', ['', ''],
        ['served meanwhile, nginx and Redis on one core',
         spelled($served, 0) . ' sessions/s'],
        ['so 1,000,000 there take', spelled(1e6 / $served / 60, 1) . ' min'],
        ['Redis alone on a core', sprintf '%s sessions/s, of %.0f us',
         spelled($most, 0), $redis],
        ['nginx beside it', sprintf '%.1f cores, %.0f us a session',
         $nginx / ($redis || 1), $nginx],
        ['so 1,000,000 there take',
         spelled(1e6 / $most / 60, 1) . ' min']);
    print <<'TEXT';

  Taken for granted: bare sessions of devices that are known, plain HTTP, a
  connection each; that nginx scales with its cores; and for the last line that
  refusals cost nothing. TLS and tasks cost more: see the first table.
TEXT
    print <<'TEXT' if $s->{held};
  The swarm held CPEs back: what was served meanwhile is what is served while
  as many wait at the door as the swarm may have connections.
TEXT
}

1;
