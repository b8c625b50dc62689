using System.Text;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Smtp.Server;

/// <summary>TLS and AUTH.</summary>
public sealed class SmtpServerTrustTests
{
    static string Plain(string password, string user = "user") => Base64($"\0{user}\0{password}");

    static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    /// <summary>The server's replies to these lines, one by one; clients in clear text are on loopback.</summary>
    public static TheoryData<string[], string[]> Dialogues => new()
    {
        { ["AUTH PLAIN " + Plain("secret")], ["235 2.7.0"] },
        { ["auth plain " + Plain("secret")], ["235 2.7.0"] },
        { ["AUTH PLAIN", Plain("secret")], ["334 ", "235 2.7.0"] },
        { ["AUTH LOGIN", Base64("user"), Base64("secret")], ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0"] },
        { ["AUTH LOGIN " + Base64("user"), Base64("secret")], ["334 UGFzc3dvcmQ6", "235 2.7.0"] },
        { ["AUTH PLAIN " + Plain("secret"), "AUTH PLAIN " + Plain("secret")], ["235 2.7.0", "503 5.5.1"] },
        { ["AUTH PLAIN " + Plain("secret"), "STARTTLS"], ["235 2.7.0", "503 5.5.1"] },
        { ["AUTH PLAIN " + Plain("later"), "AUTH PLAIN " + Plain("secret")], ["454 4.7.0", "235 2.7.0"] },
        { ["AUTH PLAIN not-base64!", "NOOP"], ["501 5.5.2", "250"] },
        { ["AUTH PLAIN", "not-base64!", "NOOP"], ["334", "501 5.5.2", "250"] },
        { ["AUTH PLAIN", "*", "NOOP"], ["334", "501 5.7.0", "250"] },
        { ["AUTH LOGIN", "*", "NOOP"], ["334", "501 5.7.0", "250"] },
        { ["AUTH LOGIN", Base64("user"), "*", "NOOP"], ["334", "334", "501 5.7.0", "250"] },
        { ["AUTH PLAIN", "\u0001", "NOOP"], ["334", "501 5.5.2", "250"] },
        { ["AUTH PLAIN =", "NOOP"], ["535 5.7.8", "250"] },
        { ["AUTH PLAIN " + Base64("\0\0\0\0"), "NOOP"], ["535 5.7.8", "250"] },
        { ["AUTH PLAIN " + Base64("\0user\0secret\0more"), "NOOP"], ["535 5.7.8", "250"] },
        { ["AUTH PLAIN " + Convert.ToBase64String([0, 255, 0, 254])], ["535 5.7.8"] },
        { ["AUTH LOGIN", "=", Base64("secret")], ["334", "334", "535 5.7.8"] },
        { ["AUTH PLAIN " + Plain("wrong"), "AUTH PLAIN " + Plain("wrong"), "AUTH PLAIN " + Plain("wrong")],
            ["535 5.7.8", "535 5.7.8", "421 4.7.0"] },
        { ["MAIL FROM:<a@from.test>"], ["530 5.7.0"] },
    };

    [Theory]
    [MemberData(nameof(Dialogues))]
    public async Task Each_step_of_AUTH_gets_its_reply(string[] says, string[] hears)
    {
        var options = KeepingServer.WithTls with { AuthDelay = TimeSpan.FromMilliseconds(1) };
        await using var server = KeepingServer.Start(options, needsAuth: true);
        await using var client = await server.GreetedAsync();

        for (var i = 0; i < says.Length; i++)
            Assert.StartsWith(hears[i], await client.AskAsync(says[i]));
    }

    [Fact]
    public async Task A_blob_of_12_KB_is_no_answer()
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.GreetedAsync();
        await client.AskAsync("AUTH PLAIN");

        Assert.StartsWith("500 5.5.2", await client.AskAsync(new string('A', 12 * 1024)));
        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task Wrong_guesses_take_longer_each_time_wherever_they_connect_and_the_right_one_does_not_wait()
    {
        var clock = new ManualClock();
        await using var server = KeepingServer.Start(clock: clock, needsAuth: true);
        var waits = new List<double>();
        for (var i = 0; i < 6; i++)
        {
            await using var guessing = await server.GreetedAsync();
            var since = clock.GetTimestamp();
            var reply = guessing.AskAsync("AUTH PLAIN " + Plain("wrong"));
            await clock.AdvanceUntilAsync(() => reply.IsCompleted, TimeSpan.FromSeconds(0.5), TimeSpan.FromMinutes(1));
            Assert.StartsWith("535 5.7.8", await reply);
            waits.Add(clock.GetElapsedTime(since).TotalSeconds);
        }
        await using var knowing = await server.GreetedAsync();
        Assert.StartsWith("235", await knowing.AskAsync("AUTH PLAIN " + Plain("secret")));

        // 1, 2, 4, 8, 15, 15, with the steps of the clock and what the machine takes to notice.
        Assert.All(waits.Zip([1.0, 2, 4, 8, 15, 15]), wait => Assert.InRange(wait.First, wait.Second, wait.Second + 20));
        Assert.True(waits[0] < waits[^1]);
    }

    [Fact]
    public async Task STARTTLS_forgets_what_was_said_and_offers_no_second_one()
    {
        await using var server = KeepingServer.Start(KeepingServer.WithTls);
        await using var client = await server.GreetedAsync();

        Assert.StartsWith("501 5.5.4", await client.AskAsync("STARTTLS now"));
        Assert.StartsWith("220 2.0.0", await client.AskAsync("STARTTLS"));
        await client.EncryptAsync();
        Assert.StartsWith("503 5.5.1", await client.AskAsync("MAIL FROM:<a@from.test>"));
        Assert.DoesNotContain("STARTTLS", await client.AskAsync("EHLO client.test"), StringComparison.Ordinal);
        Assert.StartsWith("503 5.5.1", await client.AskAsync("STARTTLS"));
        Assert.StartsWith("235", await client.AskAsync("AUTH PLAIN " + Plain("secret")));
        await client.AskAsync("MAIL FROM:<a@from.test>\r\nRCPT TO:<b@to.test>\r\nDATA\r\n", 3);
        Assert.StartsWith("250", await client.AskAsync(string.Concat(Enumerable.Repeat("0123456789\r\n", 20_000)) + "."));
        Assert.Equal(240_000, server.Only.Content.Length);
        Assert.StartsWith("221", await client.AskAsync("QUIT"));
        Assert.True(await client.IsClosedAsync());
    }

    [Theory]
    [InlineData("STARTTLS\r\nEHLO injected.test\r\n")]
    [InlineData("STARTTLS\r\nM")]
    [InlineData("STARTTLS\r\nMAIL FROM:<evil@from.test>\r\nRCPT TO:<b@to.test>\r\nDATA\r\n")]
    public async Task Commands_injected_behind_STARTTLS_end_the_session(string group)
    {
        await using var server = KeepingServer.Start(KeepingServer.WithTls);
        await using var client = await server.GreetedAsync();

        Assert.StartsWith("554 5.5.1", (await client.AskAsync(group, 1))[0]);
        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task Who_speaks_in_the_clear_when_TLS_is_awaited_is_cut_off_and_harms_nobody()
    {
        await using var server = KeepingServer.Start(KeepingServer.WithTls);
        await using (var client = await server.GreetedAsync())
        {
            await client.AskAsync("STARTTLS");
            await client.SayAsync("MAIL FROM:<evil@from.test>\r\n");
            Assert.True(await client.IsClosedAsync());
        }
        await using var next = await server.GreetedAsync();
        Assert.Empty(server.Faults);
    }

    [Fact]
    public async Task Implicit_TLS_comes_before_the_greeting()
    {
        await using var server = KeepingServer.Start(KeepingServer.WithTls, implicitTls: true);
        await using var client = await SmtpDialogue.ConnectAsync(server.Port, implicitTls: true);

        Assert.StartsWith("220", await client.ReadAsync());
        var extensions = await client.AskAsync("EHLO client.test");
        Assert.DoesNotContain("STARTTLS", extensions, StringComparison.Ordinal);
        Assert.Contains("AUTH PLAIN LOGIN", extensions, StringComparison.Ordinal);
    }

    [Fact]
    public async Task On_loopback_STARTTLS_may_go_unnamed_and_is_there_for_who_asks()
    {
        await using var server = KeepingServer.Start(KeepingServer.WithTls with { OfferTlsOnLoopback = false });
        await using var client = await SmtpDialogue.ConnectAsync(server.Port);
        await client.ReadAsync();

        Assert.DoesNotContain("STARTTLS", await client.AskAsync("EHLO client.test"), StringComparison.Ordinal);
        Assert.StartsWith("220", await client.AskAsync("STARTTLS"));
    }

    [Theory]
    [InlineData(false, "538 5.7.11")]
    [InlineData(true, "235 2.7.0")]
    public async Task From_another_machine_credentials_need_TLS_unless_that_is_allowed(bool allowed, string reply)
    {
        var options = KeepingServer.WithTls with { AllowPlaintextAuth = allowed };
        await using var session = new FarSession(options);

        Assert.Equal(allowed, (await session.AskAsync("EHLO far.test")).Contains("AUTH", StringComparison.Ordinal));
        Assert.StartsWith(reply, await session.AskAsync("AUTH PLAIN " + Plain("secret")));
    }
}
