package CWMP::House;

# What tests of housekeeping have in common: an ACS with a Redis, devices with
# serial numbers of their own, two tasks, and the tools of redis/ as an admin
# runs them.
#
#   my $t = house('H');             # devices are H1, H2, ...
#   my $d = known();                # one that has informed
#   print tool('cwmp-device', 'tags', $d->id);

use strict;
use warnings;

use FindBin;

use CWMP::Script;
use CWMP::Test;

use Exporter 'import';
our @EXPORT = qw($GET $LOAD house device known devices tool);

our $GET = { method => 'GetParameterValues', ParameterNames => ['Device.A'] };
our $LOAD = { method => 'Download', URL => 'http://fs.example/f',
              FileType => '1 Firmware Upgrade Image' };

my ($t, $letter, $n);


sub house { ($letter, $n) = ($_[0], 0); return $t = CWMP::Test->new }
sub device { return CWMP::Script->new($t, $letter . ++$n, @_) }
sub devices { return $n }


sub known {
    my $d = device(@_);
    $d->session;
    return $d;
}


# What a tool prints, on either, and its exit code.
sub tool {
    my ($name, @args) = @_;
    my $text = join ' ', map { s/'/'\\''/gr =~ s/(.*)/'$1'/sr }
               "$FindBin::Bin/../redis/$name", '-s', $t->redis_server->socket,
               @args;
    my $out = `$text 2>&1`;
    chomp $out;
    return wantarray ? ($out, $? >> 8) : $out;
}

1;
