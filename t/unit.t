#!/usr/bin/perl
#
# The C tests: each t/unit/test_*.c, built by "make unit", prints TAP.  A test
# is good when its program says so, leaves with 0, and no sanitizer speaks.

use strict;
use warnings;

use File::Basename 'basename';
use File::Temp;
use TAP::Parser;
use Test::More;

my $dir = $ENV{TEST_UNIT_DIR} || 'build/unit';
my $seconds = $ENV{TEST_SANITIZED} ? 300 : 60;
my @names = map { basename($_, '.c') } sort glob 't/unit/test_*.c';

ok(@names > 0, 'UNIT there are programs in t/unit');

for my $name (@names) {
    subtest("UNIT $name" => sub { run("$dir/$name") });
}

done_testing;


sub run {
    my ($program) = @_;

    return fail("$program is not built: run make unit") unless -x $program;

    my $stderr = File::Temp->new;
    my $tap = `timeout $seconds '$program' 2>'$stderr' </dev/null`;
    my $status = $?;

    my $parser = TAP::Parser->new({ tap => $tap });
    my $failed = 0;

    while (my $line = $parser->next) {
        if ($line->is_test) {
            report($line);
            $failed = !$line->is_ok;

        } elsif ($line->is_comment) {
            $failed ? diag($line->comment) : note($line->comment);
        }
    }

    is_deeply([$parser->parse_errors], [], 'its TAP is whole');

    my $end = $status == 0           ? 'with 0'
            : $status == 124 << 8    ? "by a timeout of $seconds s"
            : $status & 127          ? 'by signal ' . ($status & 127)
            : $status >> 8 >= 128    ? 'by signal ' . (($status >> 8) - 128)
                                     : 'with ' . ($status >> 8);
    is($end, 'with 0', 'it ends with 0');

    my $said = do { local $/; <$stderr> } // '';
    my $good = $said !~ /Sanitizer|runtime error:/;

    ok($good, 'no sanitizer speaks');
    diag($said) if !$good || $status;
}


sub report {
    my ($line) = @_;
    my $what = $line->description =~ s/^- //r;
    $what = "($what)" unless $what =~ /[^\d\s]/;      # Test::More objects

    if ($line->has_skip) {
        SKIP: { skip($line->explanation || $what, 1) }

    } elsif ($line->has_todo) {
        TODO: {
            local our $TODO = $line->explanation || 'to do';
            ok($line->is_actual_ok, $what);
        }

    } else {
        ok($line->is_ok, $what);
    }
}
