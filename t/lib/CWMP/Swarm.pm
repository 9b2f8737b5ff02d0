package CWMP::Swarm;

# Runs the load test t/bench/swarm for its tests: swarm() with JSON as its
# result, ids() for the devices it plays, run() for any command, bounded.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use CWMP::Daemon qw(patience project_root);

use Exporter 'import';

our @EXPORT = qw(ids run swarm swarm_binary);


# Nothing of the test can be run without it.
sub swarm_binary {
    my $file = $ENV{TEST_SWARM} || project_root() . '/build/bench/swarm';

    plan skip_all => "no $file: make swarm" unless -x $file;
    return $file;
}


sub run {
    my @command = @_;
    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT or die $!;
        exec 'timeout', patience(30), @command or die "$command[0]: $!\n";
    }
    local $/;
    my $said = <$out> // '';
    close $out;
    return ($? >> 8, $said);
}


# Its JSON, with its exit status.
sub swarm {
    my ($where, @opt) = @_;
    my ($status, $said) = run(swarm_binary(), '--quiet', '--json', '-', @opt, $where);
    my $r = eval { JSON::PP::decode_json($said) };

    diag("swarm @opt $where: $said") unless $r;
    return { %{ $r || {} }, exit => $status };
}


sub ids {
    my ($status, $said) = run(swarm_binary(), @_, '--print-ids');
    return split /\n/, $said;
}

1;
