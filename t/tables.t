#!/usr/bin/perl

# What stands twice, once in C and once in redis/lua, says the same: the
# RPCs that can be sent, the fields of a task, the keys and their order, the
# letters of types, the phases.  C's side is asked (test_task --tables,
# test_keys --tables) where it can be, else read; redis/lua is read.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CWMP::Daemon 'library_text';

my $dir = $ENV{TEST_UNIT_DIR} || 'build/unit';
my $lua = library_text();
my $task = join('', map { slurp($_) } glob 'ngx_cwmp_module/task/*.c');

my @task_says = ask('test_task');
my @keys_says = ask('test_keys');


# RPCs

{
    my %row = rows('METHODS');
    my @rpcs = map { /^rpc (\w+)$/ ? $1 : () } @task_says;

    my %once = map { ($_ => 1) } slurp('ngx_cwmp_module/core/cwmp_rpc.c')
               =~ /\{ "(\w+)", [\w|]*\bCWMP_ONCE\b/g;

    ok(@rpcs >= 9, 'TABLES the RPCs that can be sent are known');

    # what is no RPC says as what it is sent

    my @tasks = block($task, qr/\bcwmp_tasks\[\] = \{/, qr/^\};/m)
                =~ /^    \{ "(\w+)"/mg;
    my %sent = map { ($_ => $row{$_} =~ /\brpc = '(\w+)'/) } @tasks;

    same([sort keys %row], [sort @rpcs, @tasks],
         'TABLES each task that can be sent has its row in the state table');
    same([grep { my $rpc = $_; !grep { $_ eq $rpc } @rpcs } values %sent], [],
         'TABLES ... and those that are no RPC are sent as one');

    for my $rpc (sort keys %row) {
        my ($lost) = $row{$rpc} =~ /\blost = '(\w+)'/;
        like($lost // '', qr/^(again|verify|event)$/,
             "TABLES $rpc: what is done when its answer is lost");
        is($row{$rpc} =~ /\bwait = \d+/ ? 1 : 0,
           $row{$rpc} =~ /\bevent = '/ ? 1 : 0,
           "TABLES $rpc: what waits for an event does so for a time");
        my $once = $lost ne 'again' && $rpc ne 'SetParameterValues';
        is($once{$rpc} // 0, $once ? 1 : 0, "TABLES $rpc is held for replicas, "
           . 'as it must not be repeated: ' . ($once ? 'yes' : 'no'));
    }
}


# fields of a task

{
    my @fields = block($lua, qr/^local FIELDS = \{\n/m, qr/^\}/m)
                 =~ /^    \{ '(\w+)',/mg;
    my @ours = grep { /^[a-z]/ } @fields;
    my @c = block($task, qr/\bcwmp_task_fields\[\] = \{/, qr/\}/) =~ /"(\w+)"/g;

    ok(@ours > 5 && @c > 5, 'TABLES the fields of a task are known');

    same([sort @c], [sort 'method', 'id', @ours],
         'TABLES a field of ours that one side takes is known to the other');

    for my $rpc_field (grep { /^[A-Z]/ } @fields) {
        like(slurp('ngx_cwmp_module/core/cwmp_rpc.c'), qr/"$rpc_field", 32,/,
             "TABLES $rpc_field has the same bound in both");
    }
}


# types

{
    my %lua = block($lua, qr/^local TYPES = \{/m, qr/\}/) =~ /(\w) = '(\w+)'/g;
    my %c = map { /^type (.) (\w+)$/ ? ($1 => $2) : () } @task_says;

    is(scalar(grep { /^type / } @task_says), scalar keys %c,
       'TABLES no two types have one letter');

    same(\%lua, \%c, 'TABLES the letter of a type means the same');
}


# keys

{
    my @suffix = list('SUFFIX');
    my @shared = list('SHARED');
    my @device = map { /^device (\S+)$/ ? $1 : () } @keys_says;
    my @partition = map { /^partition (\S+)$/ ? $1 : () } @keys_says;

    same(\@device, [map { "cwmp:{0}:ID$_" } @suffix],
         'TABLES the keys of a device, in their order');

    # wake is written by cwmp_push only, which makes the names itself

    same([@partition, 'cwmp:{0}:wake'], [map { "cwmp:{0}:$_" } @shared],
         'TABLES the keys of a partition, in their order');

    my ($names, $places) = $lua =~ /^local (DEVICE,[\w,\s]+) =\s+([\d,\s]+)$/m;
    my @names = split(/,\s*/, $names // '');

    same([split(/,\s*/, ($places // '') =~ s/\s+$//r)],
         [1 .. @suffix + @shared], 'TABLES each key has its number');
    is(scalar @names, @suffix + @shared, 'TABLES and each number its name');

    # a step is not given the keys after C's last

    my %beyond = map { $_ => 1 } @names[@device + @partition .. $#names];
    my @used = grep { $beyond{$_} } $lua =~ /\bk\[(\w+)\]/g;
    my $push = block($lua, qr/^local function cwmp_push\(/m, qr/^end/m);
    my @push = grep { $beyond{$_} } $push =~ /\bk\[(\w+)\]/g;

    same(\@used, \@push, 'TABLES a step touches no key that it is not given');
}


# phases

{
    my ($text) = $lua =~ /^  phase of a task .*?\n(.*?)^\]\]/ms;
    my %lua = map { $_ => 1 } ($text // '') =~ /^    (\w+) /mg;
    my %named = map { $_ => 1 } $lua =~ /\bphase [=~]?= '(\w+)'/g;
    my %c = map { $_ => 1 } block($task, qr/\bcwmp_phases\[\] = \{/, qr/^\};/m)
                            =~ /^    \{ "(\w+)"/mg;
    $c{$_} = 1 for slurp('ngx_cwmp_module/ngx_http_cwmp_rotate.c')
                   =~ /\bphase\.data, "(\w+)"/g;

    same([sort keys %c], [sort keys %lua],
         'TABLES each phase of the state table is built');
    ok(keys %named >= 4, 'TABLES the phases that are spoken of are known');
    same([sort grep { !$lua{$_} } keys %named], [],
         'TABLES no phase is spoken of that is not explained');
}


done_testing;


sub slurp {
    my ($file) = @_;
    open(my $fh, '<', $file) or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}


sub same {
    my ($got, $want, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply($got, $want, $name)
           || diag(explain({ got => $got, want => $want }));
}


sub ask {
    my ($name) = @_;
    my @lines = -x "$dir/$name" ? `'$dir/$name' --tables` : ();
    ok(@lines && $? == 0, "TABLES $name answers") or diag('make unit');
    chomp(@lines);
    return @lines;
}


# text from after $start to before $end
sub block {
    my ($text, $start, $end) = @_;
    return '' unless $text =~ /$start/g;
    my $from = pos($text);
    return '' unless $text =~ /$end/g;
    return substr($text, $from, $-[0] - $from);
}


# name => text of a Lua table of tables
sub rows {
    my ($name) = @_;
    return block($lua, qr/^local $name = \{\n/m, qr/^\}/m)
           =~ /^    (\w+)\s+= \{(.*?)\},?$/msg;
}


sub list {
    my ($name) = @_;
    return block($lua, qr/^local $name = \{/m, qr/\}/) =~ /'([^']*)'/g;
}
