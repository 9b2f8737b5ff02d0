# GNU make.  What there is to make:
#
#   deps      install what building and testing need (Debian; root or sudo)
#   build     build/ngx_http_cwmp_module.so, for Debian's nginx
#   unit      the C tests, build/unit/test_*
#   swarm     build/bench/swarm, a load test: thousands of simulated CPEs
#   bench     what a session costs, beside its limits: tables and
#             build/bench/result.json, some 20 minutes; QUICK=1: half a minute;
#             BENCH='--only flat': options, --help tells them
#   run       a server to try things with, in the foreground
#   test      deps, build, unit; then all tests
#   check     the same tests under AddressSanitizer and UBSan
#   soak      the fault experiments of t/fault/, the long ones too, COUNT times
#             (10)
#   matrix    the tests on Debian 12 and 13, with Redis 7, Redis 8 and Valkey
#             8; needs root; MATRIX='trixie-valkey8': some of these
#   fuzz      each of t/fuzz/ for TIME seconds (60), TARGET=repair: that one
#   mutate    whether the tests notice small changes; M=name: that one
#   install   the module into MODULESDIR, what is for Redis and the examples
#             into DATADIR, tools into BINDIR
#   clean     remove build/
#
#   NGINX_SRC=DIR   any nginx source tree instead: builds that nginx as well
#   NGINX_FLAGS=..  more options for its configure
#   CC=clang        another compiler; like NGINX_SRC with a folder of its own
#   T=t/unit.t      these tests only;  PROVE=-v: options for prove;  V=1: show
#                   the compiler's command lines

COUNT = 10
MODULESDIR = /usr/lib/nginx/modules
DATADIR = /usr/share/cwmp
BINDIR = /usr/bin
T = $(if $(SANITIZED),$(filter-out t/build.t t/install.t,$(wildcard t/*.t)),t/*.t t/fault/*.t)

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc) --no-print-directory
endif

.DELETE_ON_ERROR:
.PHONY: build unit swarm limits bench deps run test tested prove soak matrix check fuzz fuzz-seeds fuzz-corpus \
        mutate install clean FORCE


# What is built, and where to.  SANITIZED is for "check": the module goes into
# an nginx of its own, since ASan sees nginx's pools only when nginx is built
# with NGX_DEBUG_PALLOC; without nginx's sources it is preloaded.

DEBIAN := /usr/share/nginx/src
FETCHED := build/nginx-debian

ifdef SANITIZED
NGINX_SRC ?= $(if $(wildcard $(FETCHED)/src/core/nginx.c),$(FETCHED),$(DEBIAN))
else
NGINX_SRC ?= $(DEBIAN)
endif

name = $(notdir $(realpath $(NGINX_SRC)))
words = $(if $(filter-out $(DEBIAN) $(FETCHED),$(NGINX_SRC)),$(name)) \
        $(filter-out cc gcc,$(notdir $(CC))) $(if $(SANITIZED),asan)
empty :=
OUT := build$(addprefix /,$(subst $(empty) ,-,$(strip $(words))))
OBJ := $(OUT)/obj

HOW := --add-dynamic-module
MODULE := $(OUT)/ngx_http_cwmp_module.so
UNIT_CFLAGS := -O1 -g

ifeq ($(wildcard $(NGINX_SRC)/src/core/nginx.c),)
NGINX := /usr/sbin/nginx
GOALS := modules
else
NGINX := $(OUT)/obj/nginx
GOALS := binary modules
endif

ifdef SANITIZED
san := -fsanitize=address,undefined -fno-sanitize-recover=all \
       -fno-omit-frame-pointer
UNIT_CFLAGS += $(san)
# nginx has a memcpy() of no bytes from NULL here and there, and its MD5 reads
# words at any address where the processor can
NGINX_CFLAGS := -O1 -g $(san) -fno-sanitize=nonnull-attribute,alignment \
                -DNGX_DEBUG_PALLOC=1
NGINX_LDFLAGS := -fsanitize=address,undefined

ifeq ($(GOALS),modules)
NGINX := $(OUT)/nginx
preload = $(foreach lib,asan ubsan,$(shell $(CC) -print-file-name=lib$(lib).so))
else
HOW := --add-module
GOALS := binary
MODULE :=
endif
endif


# nginx's configure takes the names of the sources: it runs again when they,
# or the nginx that is built against, have changed

SRCS := $(wildcard ngx_cwmp_module/*.c ngx_cwmp_module/core/*.c \
                   ngx_cwmp_module/task/*.c datamodel/*.c redis/*.c)
HDRS := $(wildcard ngx_cwmp_module/*.h ngx_cwmp_module/core/*.h \
                   ngx_cwmp_module/task/*.h datamodel/*.h redis/*.h)
INPUTS = $(CURDIR) $(SRCS) $(HDRS) $(HOW) $(NGINX_SRC) $(NGINX_CFLAGS) \
         $(NGINX_FLAGS) $(shell cat $(wildcard \
             $(NGINX_SRC)/src/core/nginx.h $(NGINX_SRC)/conf_flags) | cksum)

build: $(OBJ)/Makefile $(filter $(OUT)/nginx,$(NGINX)) $(OUT)/cwmp-user \
       $(OUT)/cwmp-seal
	@$(MAKE) $(if $(V),,-s) -C $(NGINX_SRC) -f $(abspath $<) $(GOALS)
ifneq ($(MODULE),)
	@cmp -s $(OBJ)/$(notdir $(MODULE)) $(MODULE) \
	    || { install -m 644 $(OBJ)/$(notdir $(MODULE)) $(MODULE); \
	         echo $(MODULE); }
endif

$(OUT)/inputs: FORCE
	@mkdir -p $(@D)
	@echo '$(INPUTS)' | cmp -s - $@ || echo '$(INPUTS)' > $@

$(OBJ)/Makefile: $(OUT)/inputs config build-aux/config.make \
                 build-aux/configure.sh
	@CC='$(CC)' NGINX_FLAGS='$(NGINX_FLAGS)' bash build-aux/configure.sh \
	    $(NGINX_SRC) $(OBJ) $(HOW) '$(NGINX_CFLAGS)' '$(NGINX_LDFLAGS)'

# without nginx's sources: Debian's nginx, with the sanitizers put before it

define wrapper
#!/bin/sh
export ASAN_OPTIONS="$$ASAN_OPTIONS:detect_leaks=0"
export LD_PRELOAD='$(preload)'
exec /usr/sbin/nginx "$$@"
endef

$(OUT)/nginx: Makefile $(OUT)/inputs
	$(file >$@,$(wrapper))
	@chmod 755 $@


# The tools that are programs: redis/tools/*.c, with what they need of core/

TOOL_CFLAGS := -std=gnu11 -g $(if $(SANITIZED),-O1 $(san),-O2)

$(OUT)/cwmp-user: redis/cwmp_keys.c redis/tools/key.c redis/tools/key.h \
                  $(addprefix ngx_cwmp_module/core/cwmp_,digest.c identity.c \
                              secret.c user.c)

$(OUT)/cwmp-user: $(OUT)/%: redis/tools/%.c $(HDRS) Makefile
	@mkdir -p $(@D)
	$(if $(V),,@)$(CC) $(TOOL_CFLAGS) -Wall -Wextra -Werror \
	    -Ingx_cwmp_module/core -Iredis -o $@ $(filter %.c,$^) -lcrypto

# takes a task apart, as the module does
$(OUT)/cwmp-seal: redis/tools/cwmp-seal.c redis/tools/key.c \
                  $(OUT)/unit/pure.a redis/tools/key.h
	$(if $(V),,@)$(CC) $(TOOL_CFLAGS) -Wall -Wextra -Werror $(UNIT_INCS) \
	    -o $@ $(filter-out %.h,$^) $(UNIT_LIBS)


# C tests: t/unit/test_*.c with all that needs no nginx

PURE := $(wildcard ngx_cwmp_module/core/*.c ngx_cwmp_module/task/*.c \
                   datamodel/*.c redis/cwmp_*.c) \
        $(filter-out t/unit/test_%,$(wildcard t/unit/*.c))
UNIT := $(patsubst t/unit/%.c,$(OUT)/unit/%,$(wildcard t/unit/test_*.c))
UNIT_OBJ := $(OUT)/unit/obj
UNIT_INCS := $(addprefix -I,ngx_cwmp_module/core ngx_cwmp_module/task \
                            datamodel redis t/unit) \
             -isystem $(shell pkg-config --variable=includedir libxml-2.0 \
                              2>/dev/null)/libxml2
UNIT_LIBS := -lxml2 -ljansson -l:libhiredis.a -lz -lcrypto -lm

unit: $(UNIT)

$(UNIT): $(OUT)/unit/%: $(UNIT_OBJ)/t/unit/%.o $(OUT)/unit/pure.a
	$(if $(V),,@)$(CC) $(UNIT_CFLAGS) -o $@ $^ $(UNIT_LIBS)

$(OUT)/unit/pure.a: $(PURE:%.c=$(UNIT_OBJ)/%.o)
	@rm -f $@ && ar rcs $@ $^

$(UNIT_OBJ)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@)$(CC) $(UNIT_CFLAGS) -Wall -Wextra -Wno-unused-parameter \
	    $(if $(SANITIZED),,-Werror) $(TEST_CFLAGS) $(UNIT_INCS) -MMD -MP \
	    -c -o $@ $<

# a header of test helpers is not used whole by each test
$(UNIT_OBJ)/t/unit/%.o: TEST_CFLAGS := -Wno-unused-function

.SECONDARY:
-include $(shell find $(UNIT_OBJ) -name '*.d' 2>/dev/null)


# The load test, docs/bench.md; it shares no code with the module

SWARM := $(OUT)/bench/swarm
SWARM_OBJ := $(patsubst %.c,$(OUT)/bench/obj/%.o,$(wildcard t/bench/swarm/*.c))
SWARM_CFLAGS := -std=gnu11 -g $(if $(SANITIZED),-O1 $(san),-O2)

swarm: $(SWARM) $(OUT)/bench/clock.so $(OUT)/bench/no_md5.so

$(SWARM): $(SWARM_OBJ)
	$(if $(V),,@)$(CC) $(SWARM_CFLAGS) -o $@ $^ -lssl -lcrypto -lm

$(OUT)/bench/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@)$(CC) $(SWARM_CFLAGS) -Wall -Wextra -Werror -MMD -MP \
	    -c -o $@ $<

-include $(SWARM_OBJ:.o=.d)

# a program's clock, set wrong; its OpenSSL, without MD5
$(OUT)/bench/%.so: t/fault/%.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror -fPIC \
	    -shared -o $@ $<


# The benchmark; limits are programs of one file that need nothing of ours

LIMITS := $(patsubst t/bench/limit/%.c,$(OUT)/bench/%, \
                     $(wildcard t/bench/limit/*.c))

limits: $(LIMITS) $(OUT)/bench/heap.so

$(LIMITS): $(OUT)/bench/%: t/bench/limit/%.c t/bench/limit/clock.h Makefile
	@mkdir -p $(@D)
	$(if $(V),,@)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror \
	    $(filter -isystem,$(UNIT_INCS)) $(lastword $(UNIT_INCS)) -o $@ $< \
	    -lxml2 -l:libhiredis.a

$(OUT)/bench/heap.so: t/bench/heap.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror -fPIC \
	    -shared -o $@ $<

bench:
	@$(MAKE) deps
	@$(MAKE) build swarm limits
	@perl t/bench/bench $(if $(QUICK),--quick) $(BENCH)


# Fuzzing, by clang's libFuzzer.  Inputs that reach something new are kept in
# build/fuzz/NAME.found/; what breaks a target as build/fuzz/crash-NAME-*: it
# belongs into a test.  "fuzz-corpus" puts what is worth it of the found ones
# into t/fuzz/corpus/, as few as reach the same.

TIME = 60
TARGETS := $(patsubst t/fuzz/fuzz_%.c,%,$(wildcard t/fuzz/fuzz_*.c))
TARGET = $(TARGETS)
FUZZ_CFLAGS := -O1 -g -fsanitize=fuzzer,address,undefined \
               -fno-sanitize-recover=all -fno-omit-frame-pointer -D_GNU_SOURCE
FUZZ_BYTES = 4000

fuzz: $(TARGET:%=fuzz-%)

fuzz-seeds:
	@perl t/fuzz/seeds build/fuzz $(wildcard ../shared/cwmp/examples \
	                                         ../shared/corpus)

$(TARGETS:%=fuzz-%): fuzz-%: build/fuzz/% fuzz-seeds
	@mkdir -p build/fuzz/$*.found t/fuzz/corpus/$*
	@build/fuzz/$* -max_total_time=$(TIME) -max_len=20000 -len_control=20 -timeout=10 \
	    -artifact_prefix=build/fuzz/crash-$*- \
	    $$(for d in build/fuzz/$*.dict; do [ -f $$d ] && echo -dict=$$d; done) \
	    build/fuzz/$*.found t/fuzz/corpus/$* \
	    $$(for d in build/fuzz/$*.seeds; do [ -d $$d ] && echo $$d; done) \
	    > build/fuzz/$*.log 2>&1 || { tail -40 build/fuzz/$*.log; exit 1; }
	@sed -n 's/.*DONE /$*: $(TIME) s,/p' build/fuzz/$*.log

fuzz-corpus: $(TARGET:%=fuzz-corpus-%)

$(TARGETS:%=fuzz-corpus-%): fuzz-corpus-%: build/fuzz/%
	@rm -rf build/fuzz/$*.least
	@mkdir -p build/fuzz/$*.least t/fuzz/corpus/$*
	@build/fuzz/$* -merge=1 -use_counters=0 -max_len=$(FUZZ_BYTES) build/fuzz/$*.least \
	    t/fuzz/corpus/$* build/fuzz/$*.found > build/fuzz/$*.merge.log 2>&1
	@cp -n build/fuzz/$*.least/* t/fuzz/corpus/$*/

build/fuzz/%: t/fuzz/fuzz_%.c t/fuzz/fuzz.h $(wildcard t/unit/*.h) $(PURE) $(HDRS)
	@mkdir -p $(@D)
	$(if $(V),,@)clang $(FUZZ_CFLAGS) -Wall -Wextra -Wno-unused-parameter \
	    -Wno-unused-function $(UNIT_INCS) -o $@ $< $(PURE) $(UNIT_LIBS)


# The tests learn what to test from these

export TEST_NGINX_BINARY = $(abspath $(NGINX))
export TEST_NGINX_MODULE = $(abspath $(MODULE))
export TEST_UNIT_DIR = $(abspath $(OUT)/unit)
export TEST_SWARM = $(abspath $(SWARM))
export TEST_USER_TOOL = $(abspath $(OUT)/cwmp-user)
export CWMP_SEAL = $(abspath $(OUT)/cwmp-seal)
export TEST_CLOCK = $(abspath $(OUT)/bench/clock.so)
export TEST_LIMITS = $(abspath $(OUT)/bench)
ifneq ($(wildcard ../shared),)
export CWMP_SHARED ?= $(abspath ../shared)
endif
ifdef SANITIZED
export TEST_SANITIZED = 1
lsan_supp := $(CURDIR)/build-aux/lsan.supp
export LSAN_OPTIONS = suppressions=$(lsan_supp):print_suppressions=0
export UBSAN_OPTIONS = print_stacktrace=1
endif

deps:
	@sh build-aux/deps.sh

run:
	@$(MAKE) deps
	@$(MAKE) build
	@exec perl t/run

test:
	@$(MAKE) deps
	@$(MAKE) tested

check:
	@$(MAKE) deps
	@[ $(NGINX_SRC) != $(DEBIAN) ] \
	    || sh build-aux/nginx-source.sh $(FETCHED) || { \
	    echo; echo "*** No source of nginx: ASan sees the module only," \
	         "neither nginx's pools nor leaks."; echo; } >&2
	@$(MAKE) SANITIZED=1 PROVE='-j2 $(PROVE)' tested

tested: build unit swarm limits
	@perl build-aux/prove.pl $(PROVE) $(T)

prove:
	@perl build-aux/prove.pl $(PROVE) $(T)

soak: build swarm
	@for i in $$(seq $(COUNT)); do echo "$$i of $(COUNT)"; \
	    TEST_SOAK=1 perl build-aux/prove.pl $(PROVE) t/fault/*.t || exit 1; done

matrix:
	@sh build-aux/matrix.sh $(MATRIX)


# Whether the tests notice small changes, t/mutants; M='name other-*': these

M =

mutate:
	@perl t/mutate $(foreach m,$(M),'$(m)')

TOOLS := $(filter-out %.sh,$(wildcard redis/cwmp-*))

install: build
	install -D -m 644 $(MODULE) \
	    $(DESTDIR)$(MODULESDIR)/ngx_http_cwmp_module.so
	install -d $(DESTDIR)$(DATADIR) $(DESTDIR)$(BINDIR)
	install -m 644 redis/redis.conf redis/cwmp-cli.sh $(DESTDIR)$(DATADIR)
	cat redis/lua/*.lua > $(DESTDIR)$(DATADIR)/cwmp.lua
	chmod 644 $(DESTDIR)$(DATADIR)/cwmp.lua
	install $(TOOLS) $(DESTDIR)$(DATADIR)
	ln -sfr $(TOOLS:redis/%=$(DESTDIR)$(DATADIR)/%) $(DESTDIR)$(BINDIR)
	install $(OUT)/cwmp-user $(OUT)/cwmp-seal docs/examples/cwmp-* $(DESTDIR)$(BINDIR)
	install -d $(DESTDIR)$(DATADIR)/examples
	install -m 644 docs/examples/*.conf $(DESTDIR)$(DATADIR)/examples

clean:
	rm -rf build
