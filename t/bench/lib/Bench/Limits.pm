package Bench::Limits;

# What cannot be had for less, measured in the same rounds on the same core:
# libxml2 alone on the same bodies, hiredis alone on the same commands, Redis
# alone on the same calls.  prepare() records them from sessions of the swarm.
# (nginx alone on the same POSTs is a step of Bench::Sessions.)

use strict;
use warnings;

use Digest::MD5 'md5_hex';

use Bench::Machine qw(on_core cpu_us limit_file);
use Bench::Relay;
use Bench::Sessions qw(push_all);
use Bench::Stand;
use Bench::Swarm qw(swarm device_id);
use CWMP::Daemon qw(find_binary slurp);

# what is recorded: a session of a device that is known
my @RECORDS = (
    { name => 'inform8', class => 'Rec8' },
    { name => 'inform80', class => 'Rec80',
      options => [qw(--inform 80 --parameters 100)] },
    { name => 'answer1000', class => 'Rec1000', answer => 1,
      options => [qw(--parameters 1000)] },
);
my %TEXT = (
    inform8 => 'Inform of 8', inform80 => 'Inform of 80',
    answer1000 => 'GetParameterValuesResponse of 1,000',
);


sub prepare {
    my ($b) = @_;
    my $main = $b->stand('main');
    my $relay = Bench::Relay->new(file => "$b->{dir}/relayed",
                                  to => $main->{server}->socket);
    my $stand = Bench::Stand->new(dir => $b->{dir}, name => 'recorded',
                                  redis => 'unix:' . $relay->path);

    record($b, $main, $stand, $relay, $_) for @RECORDS;
    $stand->stop;
    $relay->stop;
}


# Of the second session of a device, which is like all later ones.
sub record {
    my ($b, $main, $stand, $relay, $row) = @_;
    my $http = Bench::Relay->new(file => "$b->{dir}/$row->{name}",
                                 to => $stand->{port}{plain});
    my @run = ($b->{dir}, 30, @{ $row->{options} || [] }, '--class',
               $row->{class}, qw(--cpes 1 --sessions 1 --closed 1
               --connection keep));

    swarm(@run, $stand->url('plain'));
    push_all($main, $row->{class}, 1, 1, { method => 'GetParameterValues',
             ParameterNames => ['Device.'] }) if $row->{answer};
    my $had = calls($relay);
    swarm(@run, 'http://127.0.0.1:' . $http->port . '/cwmp');
    my @commands = (calls($relay))[$had .. calls($relay) - 1];
    my @bodies = $http->requests;

    if ($row->{answer}) {               # the first two are as in bare ones
        splice @commands, 0, 2;
        splice @bodies, 0, 2;
    } else {
        @commands == 2 or die "a bare session is not two calls of Redis\n";
    }
    $b->{recorded}{ $row->{name} } = \@commands;
    put("$b->{dir}/$row->{name}.xml", $bodies[0]);
    put("$b->{dir}/$row->{name}.resp", map { $_->{bytes} } @commands);
}


sub calls {
    my ($relay) = @_;
    my @calls = grep { $_->{words}[0] eq 'FCALL'
                       && $_->{words}[1] =~ /^cwmp_(?:step|chunk)_/ }
                $relay->commands;
    return @calls;
}


sub put {
    my ($file, @bytes) = @_;
    open my $fh, '>:raw', $file or die "$file: $!\n";
    print $fh @bytes;
    close $fh or die "$file: $!\n";
}


# --- a round ---------------------------------------------------------------

sub steps {
    my ($b) = @_;
    my @names = map { $_->{name} } @RECORDS;

    return (map({ program($b, 'sax', $_, "libxml2 alone: $TEXT{$_}", 'xml') }
                @names),
            map({ program($b, 'format', $_,
                          "hiredis alone: commands for it", 'resp') }
                'answer1000'),
            benchmark($b), pairs($b));
}


# On the first core, where nginx was; it has nothing to do now.
sub program {
    my ($b, $program, $name, $text, $suffix) = @_;
    my $bin = limit_file($program);
    my $file = "$b->{dir}/$name.$suffix";
    my $ms = $b->{quick} ? 20 : 300;

    return { part => 'limits', name => "$program $name", what => $text,
             how => '', run => sub {
        my $said = on_core(0, sub { scalar `$bin $file $ms` });
        die "$program failed\n" if $?;
        return { us => $said + 0, bytes => -s $file };
    } };
}


# redis-benchmark knows one call, so this is the Inform's; each has a nonce and
# a digest of its own, and they are of one device.
sub benchmark {
    my ($b) = @_;
    my ($inform) = @{ $b->{recorded}{inform8} };
    my @words = @{ $inform->{words} };
    my $at = 3 + $words[2];             # id, token, nonce, digest
    my $n = $b->{quick} ? 500 : 10_000;
    my $pid = $b->stand('main')->{server}->pid;

    $words[$at + 2] = '1.1.__rand_int__';
    $words[$at + 3] = '__rand_int__' . substr $words[$at + 3], 12;
    my @argv = (find_binary('redis-benchmark'), '-s',
                $b->stand('main')->{server}->socket, '-n', $n,
                qw(-c 16 -r 1000000000 --csv), @words);

    return { part => 'limits', name => 'redis-benchmark inform8',
             what => 'redis-benchmark: the Inform\'s call', how => '16 at once',
             run => sub {
        my $before = cpu_us($pid);
        run_quietly("$b->{dir}/benchmark.log", @argv);
        return { us => (cpu_us($pid) - $before) / $n };
    } };
}


# Both calls of a bare session, of so many devices in turn, by one connection
# that is always full.
sub pairs {
    my ($b) = @_;
    my @recorded = @{ $b->{recorded}{inform8} };
    my $words = $recorded[0]{words};
    my @own = @$words[map { 3 + $words->[2] + $_ } 1, 3];   # token, digest
    my $file = "$b->{dir}/pairs.resp";
    my $stand = $b->stand('main');
    my $pid = $stand->{server}->pid;
    my $n = $b->{quick} ? 200 : 5000;
    my $calls = 1;

    $stand->redis->write(join '', pair(\@recorded, \@own, 1, 1));
    my $verbs = join ' ', map { ref $_ ? $_->[0] : $_ }
                          map { $stand->redis->read_reply } 1, 2;
    $verbs eq 'inform end'
        or die "what was recorded is answered with $verbs\n";

    return { part => 'limits', name => 'redis pairs',
             what => 'Redis alone: both calls of a bare session',
             how => 'redis-cli --pipe', run => sub {
        open my $out, '>:raw', $file or die "$file: $!\n";
        for my $i (1 .. $n) {
            print $out pair(\@recorded, \@own, $i, ++$calls);
        }
        close $out or die "$file: $!\n";

        my $before = cpu_us($pid);
        run_quietly("$b->{dir}/pipe.log", 'sh', '-c', 'exec redis-cli -s '
                    . $stand->{server}->socket . " --pipe < $file");
        slurp("$b->{dir}/pipe.log") =~ /errors: 0, replies: (\d+)/
            && $1 == 2 * $n or die "Redis did not take the calls: ",
                                   slurp("$b->{dir}/pipe.log");
        return { us => (cpu_us($pid) - $before) / $n };
    } };
}


# All that differs from call to call has the same length, so that the rest of
# the bytes stays right.
sub pair {
    my ($recorded, $own, $device, $call) = @_;
    my ($token, $digest) = @$own;
    my $to = sprintf "%0*d", length $token, $call;
    my $of = substr md5_hex($call), 0, length $digest;
    my @bytes = map { $_->{bytes} } @$recorded;

    for my $i (0, 1) {
        $bytes[$i] =~ s/00000001/sprintf '%08d', $device/ge;
        $bytes[$i] =~ s/\Q$token\E/$to/g;
        $bytes[$i] =~ s/\Q$digest\E/$of/g;
        my $words = $recorded->[$i]{words};
        my $nonce = $words->[5 + $words->[2]];
        my $other = sprintf "%.*s", length $nonce,
                            substr "1.$call." . $i x 99, 0, length $nonce;
        $bytes[$i] =~ s/\r\n\Q$nonce\E\r\n/\r\n$other\r\n/;
    }
    return @bytes;
}


sub run_quietly {
    my ($log, @argv) = @_;
    my $run = CWMP::Daemon->new(name => $argv[0]);

    unlink $log;
    $run->spawn(\@argv, output => $log, own_group => 1);
    $run->wait_exit(60) or $run->end_with(1);
    die "$argv[0] failed: ", slurp($log) if ($run->{status} // 1) != 0;
}

1;
