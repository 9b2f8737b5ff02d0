#!/usr/bin/perl

# While nodes are reloaded for another key their files differ: in order, and in
# which keys they have.  Who is let in, what is sent again, and what is not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use CWMP::Auth qw(key_file);
use CWMP::Daemon qw(slurp);
use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $REALM = 'acs.example';
my @FILES = (['old'], ['old', 'new'], ['new', 'old'], ['new']);
my ($OLD, $OLD_NEW, $NEW_OLD, $NEW) = 0 .. 3;

my $dir = tempdir(CLEANUP => 1);
key_file("$dir/$_") for qw(old new);

sub file {
    my $path = join '-', "$dir/file", @_;
    open my $file, '>', $path or die "$path: $!\n";
    print $file map { slurp("$dir/$_") } @_;
    close $file;
    return $path;
}

my $t = CWMP::Test->new(nodes => scalar @FILES, start => 0, acs => "cwmp_auth digest $REALM;",
                        server => 'location /off { cwmp_auth off; cwmp_acs; }');
$t->node($_)->{http} = 'cwmp_secret_key ' . file(@{ $FILES[$_] }) . ';' for 0 .. $#FILES;
$t->redis_start;
$t->start($_) for 0 .. $#FILES;
my $redis = $t->redis;
$t->raw(0)->post('');
wait_for(sub { eval { $redis->cmd(qw(FCALL_RO cwmp_version 0)) } }) or die "no library\n";
my $n = 0;

# one that goes on with what the last node has asked it for, as CPEs do
sub cpe {
    my $auth = CWMP::Auth->new(user => '00D09E-Box-O' . ++$n, password => 'pw');
    $auth->store($redis, realm => $REALM);
    my $serial = "O$n";
    return sub {
        my ($node) = @_;
        my $r = $t->raw($node)->post(inform(serial => $serial),
                                     $auth->{nonce} ? (headers => [$auth->header]) : ());
        $auth->challenge($r) if $r->status == 401;
        return $r->status;
    };
}


for my $asks (0 .. $#FILES) {
    for my $hears (0 .. $#FILES) {
        my %known = map { $_ => 1 } @{ $FILES[$hears] };
        my $cpe = cpe();
        $cpe->($asks);
        is $cpe->($hears), $known{ $FILES[$asks][0] } ? 200 : 401,
            "asked by a node with @{ $FILES[$asks] }, heard by one with @{ $FILES[$hears] }";
    }
}

subtest 'in turn, in another order' => sub {
    my $cpe = cpe();
    is $cpe->($OLD_NEW), 401, 'is asked';
    is_deeply [map { $cpe->($_) } ($NEW_OLD, $OLD_NEW) x 3], [(200) x 6], 'and let in by both';
};

subtest 'in turn, where one node does not know the new key' => sub {
    my $cpe = cpe();
    is_deeply [map { $cpe->($_) } ($NEW_OLD, $OLD) x 4], [401, 401, (200) x 6],
        'is asked by each once, and then let in by both';
};

for my $echoes (1, 0) {
    subtest 'an answer that is sent again, ' . ($echoes ? 'with' : 'without') . ' an ID' => sub {
        my $d = CWMP::Script->new($t, 'R' . ++$n, url => $t->url($OLD_NEW, '/off'));
        my $answer = sub { gpv_response($echoes ? $_[0]->id : '', ['Device.A', 'string', 'a']) };
        $d->give({ method => 'GetParameterValues', ParameterNames => ["Device.$_"],
                   id => $_ }) for qw(A B);
        my $text = $answer->($d->begin);
        my $r = $d->post($text);
        my $again = $t->raw($NEW_OLD, url => $t->url($NEW_OLD, '/off'))
                      ->post($text, cookie => $d->cookie);
        if ($echoes) {
            is $again->id, $r->id, 'to a node with another order: the same RPC once more';
        } else {
            is $again->status, 204, 'to a node with another order: is taken for the next one';
        }
    };
}

done_testing;
