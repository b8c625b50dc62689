using Npgsql;
using Postrider.Storage.Postgres;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>What is decided without a server: addresses, dangerous settings, and who is dead.</summary>
public sealed class PostgresSettingsTests
{
    [Fact]
    public void An_address_is_taken_apart()
    {
        var dsn = PostgresDsn.TryParse("postgres://m%40il:p%2Fw:x@db1:5433,db2/post%20rider"
            + "?sslmode=verify-full&schema=mail_2&durability=relaxed&connections=30", out _)!;

        Assert.Equal(("m@il", "p/w:x", "db1:5433,db2", "post rider"), (dsn.User, dsn.Password, dsn.Hosts, dsn.Database));
        Assert.Equal((SslMode.VerifyFull, "mail_2", true, 30), (dsn.SslMode, dsn.Schema, dsn.IsRelaxed, dsn.Connections));
        Assert.DoesNotContain("p/w", dsn.ToString(), StringComparison.Ordinal);
        Assert.Equal("/run/postgresql", PostgresDsn.TryParse("postgresql://u@/db?host=%2Frun%2Fpostgresql", out _)!.Hosts);
    }

    [Theory]
    [InlineData("postgres:db", "postgres://user:password@host:5432/database")]
    [InlineData("postgres://host/db", "the user is missing")]
    [InlineData("postgres://u@/db", "the host is missing")]
    [InlineData("postgres://u@host", "the database is missing")]
    [InlineData("postgres://u@host/", "the database is missing")]
    [InlineData("postgres://u@host/db?pool=7", "the option pool is not known")]
    [InlineData("postgres://u@host/db?sslmode=maybe", "sslmode=maybe")]
    [InlineData("postgres://u@host/db?connections=3", "from 8 to 1000")]
    [InlineData("postgres://u@host/db?schema=a;b", "small letters")]
    [InlineData("postgres://u@host/db?durability=some", "full or relaxed")]
    public void A_faulty_address_is_refused_in_words(string text, string expected)
    {
        Assert.Null(PostgresDsn.TryParse(text, out var fault));
        Assert.Contains(expected, fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("postgres://postrider:p@ss:w/rd@127.0.0.1:27411/mail")]
    [InlineData("postgres://postrider:pa/ss@127.0.0.1:27411/mail")]
    [InlineData("postgres://postrider:pa/ss@db/mail")]
    [InlineData("postgres://postrider:pa?ss@db/mail")]
    [InlineData("postgres://postrider:12/34@db")]
    [InlineData("postgres://postrider:pa@ss:word/db@host/mail")]
    [InlineData("postgres://postrider:pa@12/34@host/mail")]
    [InlineData("postgres://u@host:port/db")]
    [InlineData("postgres://u@host:/db")]
    [InlineData("postgres://u@host:70000/db")]
    [InlineData("postgres://u@ho st/db")]
    public void A_password_that_is_not_encoded_is_told_so_and_not_shown(string text)
    {
        Assert.Null(PostgresDsn.TryParse(text, out var fault));
        Assert.Contains("percent-encoded", fault, StringComparison.Ordinal);
        Assert.Contains("PGPASSWORD", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("ss", fault!.Replace("pass", "", StringComparison.OrdinalIgnoreCase), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("postgres://u:p@db.example.com/mail", "db.example.com")]
    [InlineData("postgres://u:p@10.0.0.1:5432,db-2/mail", "10.0.0.1:5432,db-2")]
    [InlineData("postgres://u:p@[2001:db8::1]:5432/mail", "[2001:db8::1]:5432")]
    [InlineData("postgres://u:p@[::1]/mail", "[::1]")]
    [InlineData("postgres://u:p@ss@my_db/mail", "my_db")]
    public void A_host_is_taken_as_it_stands(string text, string hosts)
    {
        Assert.Equal(hosts, PostgresDsn.TryParse(text, out var fault)?.Hosts);
        Assert.Null(fault);
    }

    static Dictionary<string, string> Good() => new()
    {
        ["fsync"] = "on",
        ["full_page_writes"] = "on",
        ["synchronous_commit"] = "on",
        ["zero_damaged_pages"] = "off",
        ["ignore_checksum_failure"] = "off",
        ["server_encoding"] = "UTF8",
        ["server_version_num"] = "150004",
        ["default_transaction_isolation"] = "read committed",
        ["idle_in_transaction_session_timeout"] = "10000",
    };

    [Fact]
    public void A_server_that_keeps_what_it_acknowledges_is_taken() =>
        Assert.Empty(ServerSettings.Faults(Good(), 150000, isRelaxed: false));

    [Theory]
    [InlineData("fsync", "off", "fsync=on")]
    [InlineData("full_page_writes", "off", "full_page_writes=on")]
    [InlineData("synchronous_commit", "off", "durability=relaxed")]
    [InlineData("zero_damaged_pages", "on", "zero_damaged_pages=off")]
    [InlineData("ignore_checksum_failure", "on", "ignore_checksum_failure=off")]
    [InlineData("server_encoding", "SQL_ASCII", "--encoding=UTF8")]
    [InlineData("server_version_num", "140011", "needs 15")]
    [InlineData("default_transaction_isolation", "serializable", "read committed")]
    [InlineData("idle_in_transaction_session_timeout", "0", "in session mode")]
    public void A_dangerous_setting_is_refused_with_its_remedy(string name, string value, string remedy)
    {
        var settings = Good();
        settings[name] = value;

        Assert.Contains(remedy, Assert.Single(ServerSettings.Faults(settings, 150000, isRelaxed: false)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("local")]
    [InlineData("remote_write")]
    [InlineData("remote_apply")]
    public void Weaker_and_stronger_ways_to_wait_for_standbys_are_the_operators_choice(string value)
    {
        var settings = Good();
        settings["synchronous_commit"] = value;

        Assert.Empty(ServerSettings.Faults(settings, 150000, isRelaxed: false));
    }

    [Fact]
    public void Who_asks_for_relaxed_durability_gets_it_and_nothing_else()
    {
        var settings = Good();
        (settings["fsync"], settings["synchronous_commit"], settings["server_encoding"]) = ("off", "off", "LATIN1");

        Assert.Contains("LATIN1", Assert.Single(ServerSettings.Faults(settings, 150000, isRelaxed: true)), StringComparison.Ordinal);
    }

    readonly ManualClock _clock = new();

    [Fact]
    public void A_node_is_dead_after_twenty_seconds_without_a_beat_and_five_looks()
    {
        var watch = new DeathWatch(_clock);
        for (var second = 0; second < 21; second += 3)
        {
            Assert.Empty(watch.Look([new(1, 7, 100), new(2, 1, second)]));
            _clock.Advance(TimeSpan.FromSeconds(3));
        }

        Assert.Equal([new SeenNode(1, 7, 100)], watch.Look([new(1, 7, 100), new(2, 1, 21)]));
    }

    [Fact]
    public void Who_slept_or_could_not_look_has_seen_nothing_stand_still()
    {
        var (sleeper, blind) = (new DeathWatch(_clock), new DeathWatch(_clock));
        for (var look = 0; look < 6; look++)
        {
            Assert.Empty(sleeper.Look([new(1, 7, 100)]));
            Assert.Empty(blind.Look([new(1, 7, 100)]));
            _clock.Advance(TimeSpan.FromSeconds(3));
        }
        blind.Missed();
        _clock.Advance(TimeSpan.FromMinutes(1));

        Assert.Empty(sleeper.Look([new(1, 7, 100)]));
        Assert.Empty(blind.Look([new(1, 7, 100)]));
    }

    [Fact]
    public void A_new_start_of_a_node_begins_anew()
    {
        var watch = new DeathWatch(_clock);
        for (var look = 0; look < 7; look++)
        {
            watch.Look([new(1, 7, 100)]);
            _clock.Advance(TimeSpan.FromSeconds(3));
        }

        Assert.Empty(watch.Look([new(1, 8, 100)]));
    }

    [Theory]
    [InlineData("53100", "DiskFull")]
    [InlineData("53300", "Away")]
    [InlineData("57P01", "Away")]
    [InlineData("57P03", "Away")]
    [InlineData("08006", "Away")]
    [InlineData("25006", "Away")]
    [InlineData("25P03", "Away")]
    [InlineData("57014", "Away")]
    [InlineData("58030", "Away")]
    [InlineData("40P01", "Work")]
    [InlineData("40001", "Work")]
    [InlineData("55P03", "Work")]
    [InlineData("23505", "Work")]
    public void An_error_of_the_server_concerns_one_piece_of_work_or_all(string state, string expected) =>
        Assert.Equal(expected, PostgresFault.Judge(new PostgresException("", "ERROR", "ERROR", state)).ToString());
}
