#!/usr/bin/perl

# A disk that is full: that of nginx's temporary files, which the ACS does not
# have and a balancer before it may; that of Redis' AOF.  It is a small tmpfs,
# in a mount namespace of this test.  See CWMP::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp ();
use Test::More;

if (!$ENV{CWMP_OWN_MOUNTS} && $> == 0) {
    $ENV{CWMP_OWN_MOUNTS} = 1;
    my $able = system('unshare -m mount -t tmpfs -o size=64k none /mnt 2>/dev/null');
    exec('unshare', '-m', $^X, $0, @ARGV) if !$able;
    delete $ENV{CWMP_OWN_MOUNTS};
}

use CWMP::Fault qw(experiment);
use CWMP::Script;
use CWMP::Steps qw(big_list $IN_TIME);
use CWMP::Test qw(wait_for);

plan skip_all => 'a small disk cannot be mounted: needs root and unshare'
    if !$ENV{CWMP_OWN_MOUNTS};

my $DISK = File::Temp->newdir('cwmp-disk-XXXXXX', TMPDIR => 1);


sub mount {
    my ($size) = @_;
    system('mount', '-t', 'tmpfs', '-o', "size=$size", 'none', "$DISK") == 0
        or die "mount failed\n";
}


sub umount { system('umount', '-l', "$DISK") == 0 or die "umount failed\n" }


# Not a byte more fits.
sub fill {
    open(my $fh, '>', "$DISK/filler") or die "$DISK/filler: $!\n";
    for my $size (65536, 4096, 1) {
        1 while syswrite($fh, "\0" x $size);
    }
    close($fh);
}


sub empty { unlink("$DISK/filler") or die "$DISK/filler: $!\n" }


# --- temporary files -------------------------------------------------------

# Node 1 is a balancer before node 0; below /cwmp it keeps a POST until it has
# all of it, below /through it does not.
sub with_balancer {
    my ($x) = @_;
    my ($t, $acs) = ($x->t, 'http://127.0.0.1:%%PORT_0%%/cwmp');
    my $balancer = $t->node(1);

    $balancer->{acs} = undef;
    $balancer->{server} .= <<"CONF";
        location /cwmp { proxy_pass $acs; client_max_body_size 16m; }
        location /through {
            proxy_pass $acs;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            client_max_body_size 16m;
        }
CONF
    $t->start_all;
}


# A device whose answer has 2 MB, by this way: what comes of its session.
sub two_megabytes {
    my ($t, $serial, $url) = @_;
    my $cpe = $t->cpe(serial => $serial, url => $url,
                      on_rpc => { GetParameterValues => \&big_list });

    $t->redis->push_task($cpe->id, { id => 'all', ParameterNames => ['Device.'],
                                     method => 'GetParameterValues' });
    return ($cpe, outcome($t, $cpe));
}


sub outcome {
    my ($t, $cpe) = @_;
    my $trace = $cpe->run_session('2 PERIODIC');
    my $result = $t->redis->result($cpe->id, 'all') || { status => 'no result' };
    return join(', ', $trace->{steps}[-1]{status}, $result->{status});
}


sub on_full_disk {
    my ($x) = @_;
    my $t = $x->t;
    my ($cpe, $how) = two_megabytes($t, 'direct', $t->url(0));
    is $how, '204, done', 'the ACS needs no disk';
    ($cpe, $how) = two_megabytes($t, 'through', $t->url(1, '/through'));
    is $how, '204, done', 'nor does a balancer that passes on what comes';
    ($cpe, $how) = two_megabytes($t, 'kept', $t->url(1));
    is $how, '500, no result', 'one that keeps a POST does';
    return $cpe;
}


mount('4m');
experiment('disk', what => 'disk of temporary files full', nodes => 2,
    start => 0, before => \&with_balancer, lost => 0, failed => 0,
    http => $IN_TIME,
    server => "client_body_temp_path $DISK/body; proxy_temp_path $DISK/proxy;",
    harm => sub {
        my ($x) = @_;
        fill();
        my $cpe = on_full_disk($x);
        $x->pause(1);
        empty();
        $x->recover(1);
        is outcome($x->t, $cpe), '204, done', 'the task is sent again, and done';
        $x->t->expect_log(qr/pwritev?\(\) .* failed \(28/);
    });
umount();


# --- the AOF ---------------------------------------------------------------

sub refuses_writes {
    my ($x) = @_;
    return eval { $x->t->redis->cmd('SET', 'a', 'b'); 1 } ? 0 : $@ =~ /MISCONF/;
}


mount('16m');
experiment('disk_aof', what => "disk of Redis' AOF full for 3 s", workers => 2,
    soak => 1, http => $IN_TIME,
    redis => { appendonly => 1, args => ['--dir', "$DISK"] },
    harm => sub {
        my ($x) = @_;
        my $d = CWMP::Script->new($x->t, 'A1');
        $d->give({ id => 'read', method => 'GetParameterValues',
                   ParameterNames => ['Device.A'] });
        my $r = $d->begin;

        fill();
        ok wait_for(sub { refuses_writes($x) }, 10), 'Redis refuses to write';
        is $d->respond($r)->status, 503, 'a session gets 503';
        is $d->post($d->inform_text)->status, 503, 'so does an Inform';
        $x->pause(3);
        empty();
        $x->recover;
        $d->session;
        is $d->status('read'), 'done', 'the task was kept';
        ok $x->t->error_log =~ /(.*MISCONF.*)/, 'the log says why';
        note $1;
        ok $x->t->error_log =~ /(.*cannot write to its disk.*make room.*)/,
            'and what to do';
        note $1;
    });
umount();

done_testing;
