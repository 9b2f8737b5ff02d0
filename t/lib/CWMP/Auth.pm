package CWMP::Auth;

# The client's half of HTTP authentication, as a CPE has it, and what an admin
# puts into Redis for it.
#
#   my $auth = CWMP::Auth->new(user => '00D09E-Box-S1', password => 'pw');
#   $auth->store($t->redis, realm => 'acs.example');
#   my $r = $raw->post($body);                      # 401
#   $r = $raw->post($body, headers => [$auth->answer($r)]);
#   $auth->header                                   # the next count, the same nonce
#   key_file($path), nonce($key, $realm, $time)     # as a node makes them

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(hmac_sha256 sha256_hex);
use Exporter 'import';
use MIME::Base64 qw(encode_base64);

our @EXPORT_OK = qw(key_file nonce);

my %HASH = ('MD5' => \&md5_hex, 'SHA-256' => \&sha256_hex);


sub new {
    my ($class, %opt) = @_;
    return bless { algorithm => 'MD5', uri => '/cwmp', cnonce => '0a4f113b',
                   count => 0, qop => 1, %opt }, $class;
}


# in Redis, as the tool writes it
sub store {
    my ($self, $redis, %opt) = @_;
    my $a1 = "$self->{user}:" . ($opt{realm} // 'cwmp') . ":$self->{password}";
    $redis->cmd('HSET', "cwmp:user:{$self->{user}}", md5 => md5_hex($a1),
                sha256 => sha256_hex($a1), map { ($_ => $opt{$_}) }
                grep { $_ ne 'realm' } keys %opt);
    return $self;
}


sub challenge {
    my ($self, $answer) = @_;
    my $text = $answer->header('WWW-Authenticate') // '';
    my %field = $text =~ /(\w+)="?([^",]*)"?/g;
    @$self{qw(realm nonce)} = @field{qw(realm nonce)};
    $self->{count} = 0;
    return $self;
}


sub answer {
    my ($self, $answer, %opt) = @_;
    return $self->challenge($answer)->header(%opt);
}


sub header {
    my ($self, %opt) = @_;
    my %f = (%$self, count => ++$self->{count}, %opt);
    my $hash = $HASH{ $f{algorithm} };
    my $nc = sprintf '%08x', $f{count};
    my $middle = $f{qop} ? "$f{nonce}:$nc:$f{cnonce}:auth" : $f{nonce};
    my $response = $hash->(join ':', $hash->("$f{user}:$f{realm}:$f{password}"),
                           $middle, $hash->("POST:$f{uri}"));
    my $text = qq{Digest username="$f{user}", realm="$f{realm}", }
               . qq{nonce="$f{nonce}", uri="$f{uri}", response="$response", }
               . "algorithm=$f{algorithm}";
    $text .= qq{, qop=auth, nc=$nc, cnonce="$f{cnonce}"} if $f{qop};
    return ['Authorization', $text];
}


sub basic {
    my ($self, $password) = @_;
    return ['Authorization', 'Basic '
            . encode_base64("$self->{user}:" . ($password // $self->{password}),
                            '')];
}


# --- the node's half ---------------------------------------------------------

sub key_file {
    my ($path) = @_;
    my $key = join '', map { chr(int rand 256) } 1 .. 32;
    open my $file, '>', $path or die "cannot write $path: $!\n";
    print $file unpack('H*', $key), "\n";
    close $file;
    return $key;
}


sub mac {
    my ($key, @parts) = @_;
    return hmac_sha256(join('', map { pack('n/a*', $_) } @parts), $key);
}


sub nonce {
    my ($key, $realm, $time) = @_;
    my $signed = pack('N', $time) . 'randomly';
    my $hour = mac($key, 'nonce' . pack('N', $time / 3600));
    return unpack 'H*', $signed . substr(mac($hour, $signed, $realm), 0, 16);
}


# what a record has of a password that is used by Basic
sub keyed {
    my ($self, $key) = @_;
    return unpack 'H*', mac($key, 'basic', $self->{user}, $self->{password});
}

1;
