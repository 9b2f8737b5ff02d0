#!/usr/bin/perl

# The oracle of the fault experiments (CWMP::Fault) is told of worlds in which
# one thing is wrong, and has to say which.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test2::API qw(intercept);
use Test::More;

use CWMP::Fault;

my $VALUE = 'Device.DeviceInfo.ProvisioningCode';
my $SERIAL = 'Device.DeviceInfo.SerialNumber';
my $dir = File::Temp->newdir;


package World {
    sub redis { return $_[0] }
    sub params { return $_[0]{params}{ $_[1] } }
    sub results { return @{ $_[0]{results}{ $_[1] } } }
}


sub result {
    my ($id, $status, %more) = @_;
    return { id => $id, status => $status // 'done', fault => '', %more };
}


sub read_back {
    my ($n, $value, $serial) = @_;
    return result("d$n-check", 'done', response => { ParameterList => [
        { Name => $VALUE, Value => $value },
        { Name => $SERIAL, Value => $serial // sprintf('%08d', $n) },
    ] });
}


# Two devices, each with one round of tasks, all done.
sub world {
    my %world = (pushed => '', journal => '', failed => 0);
    for my $n (1, 2) {
        my $id = CWMP::Fault::device($n);
        for my $task (CWMP::Fault::tasks($n, 1)) {
            $world{pushed} .= "$n 1 $task->{id} taken\n";
            $world{journal} .= "$n\t$task->{method}\t$task->{id}\t0\n";
            push @{ $world{results}{$id} }, result($task->{id});
        }
        push @{ $world{results}{$id} }, read_back($n, "d$n-r1");
        $world{params}{$id}{$SERIAL} = { value => sprintf('%08d', $n) };
    }
    return \%world;
}


sub spew {
    my ($file, $text) = @_;
    open(my $fh, '>', "$dir/$file") or die "$dir/$file: $!\n";
    print $fh $text;
    close($fh) or die "$dir/$file: $!\n";
}


# What the oracle objects to.
sub objections {
    my ($world, %opt) = @_;
    my $fault = bless { devices => 2, dir => "$dir", pushed => "$dir/pushed",
        t => bless($world, 'World'), %opt,
        load => { failed => { total => $world->{failed},
                              verify => $world->{verify} } } }, 'CWMP::Fault';

    spew(pushed => $world->{pushed});
    spew(journal => $world->{journal});
    $fault->look;
    my $events = intercept { $fault->verdict };
    return join(', ', map { $_->name } grep { $_->isa('Test2::Event::Ok')
                                              && !$_->pass } @$events);
}


# The first device's result of that kind.
sub result_of {
    my ($world, $kind) = @_;
    my ($found) = grep { $_->{id} eq "d1-r1-$kind" }
                  @{ $world->{results}{ CWMP::Fault::device(1) } };
    return $found;
}


sub drop {
    my ($world, $kind) = @_;
    my $results = $world->{results}{ CWMP::Fault::device(1) };
    @$results = grep { $_->{id} !~ /-$kind$/ } @$results;
}


sub add { my ($world, $result) = @_;
          push @{ $world->{results}{ CWMP::Fault::device(1) } }, $result }


my ($FIRST, $REPEATED, $PHANTOM, $STATE, $FOREIGN) = (
    'every task that was taken has a result',
    'nothing that may not repeat happened twice', 'what is done was done',
    'every device ends in its desired state',
    'nothing of one device is seen in another');

my @WRONG = (
    ['nothing', sub { }, ''],
    ['a push that was refused has no result', sub {
        drop($_[0], 'get');
        $_[0]{pushed} =~ s/(d1-r1-get) taken/$1 refused/;
    }, ''],
    ['a read that was done twice', sub {
        $_[0]{journal} .= "1\tGetParameterValues\td1-r1-get\t0\n";
    }, ''],
    ['a refused Reboot and one that was done', sub {
        $_[0]{journal} .= "1\tReboot\td1-r1-boot\t9002\n";
    }, ''],
    ['an outcome that nobody knows', sub {
        result_of($_[0], 'add')->{status} = 'lost';
    }, ''],
    ['a value that nobody knows, set', sub {
        result_of($_[0], 'set')->{status} = 'lost';
    }, ''],
    ['a task without a result', sub { drop($_[0], 'get') }, $FIRST],
    ['a task with two', sub { add($_[0], result('d1-r1-dl')) }, 'and only one'],
    (map {
        my ($method, $kind) = @$_;
        ["$method carried out twice", sub {
            $_[0]{journal} .= "1\t$method\td1-r1-$kind\t0\n";
        }, $REPEATED];
    } [AddObject => 'add'], [Reboot => 'boot'], [Download => 'dl']),
    ['done, and the CPE never had it', sub {
        $_[0]{journal} =~ s/^.*\td1-r1-boot\t.*\n//m;
    }, $PHANTOM],
    ['done, and the CPE refused it', sub {
        $_[0]{journal} =~ s/(d1-r1-boot)\t0/$1\t9002/;
    }, $PHANTOM],
    ['a task that ended in another way', sub {
        result_of($_[0], 'get')->{status} = 'rejected';
    }, 'no task ended in another way than done or lost'],
    ['a device without its value', sub {
        drop($_[0], 'check');
        add($_[0], read_back(1, 'old'));
    }, $STATE],
    ['a device that cannot be read', sub {
        drop($_[0], 'check');
        add($_[0], result('d1-check', 'lost'));
    }, $STATE],
    ['an RPC for another device', sub {
        $_[0]{journal} .= "2\tGetParameterValues\td1-r1-get\t0\n";
    }, $FOREIGN],
    ['a result of another device', sub {
        add($_[0], result('d2-r1-get'));
    }, $FOREIGN],
    ['values of another device', sub {
        drop($_[0], 'check');
        add($_[0], read_back(1, 'd1-r1', '00000002'));
    }, $FOREIGN],
    ['stored parameters of another device', sub {
        $_[0]{params}{ CWMP::Fault::device(1) }{$SERIAL}{value} = '00000002';
    }, $FOREIGN],
    ['a value set, and the CPE never had it', sub {
        $_[0]{journal} =~ s/^.*\td1-r1-set\t.*\n//m;
    }, $PHANTOM],
    ['more unknown than expected', sub {
        result_of($_[0], 'add')->{status} = 'lost';
    }, 'at most 0 outcomes are unknown', lost => 0],
    ['sessions that failed', sub { $_[0]{failed} = 1 },
        'at most 0 sessions failed', failed => 0],
    ['an objection of a strict CPE', sub { $_[0]{verify} = 1 },
        'a strict CPE has nothing to object to'],
);

for (@WRONG) {
    my ($what, $how, $objection, %opt) = @$_;
    my $world = world();
    $how->($world);
    is objections($world, %opt), $objection, $what;
}

done_testing;
