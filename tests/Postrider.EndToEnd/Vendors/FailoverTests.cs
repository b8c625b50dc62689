using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Postrider.EndToEnd.Api;
using Xunit;

namespace Postrider.EndToEnd.Vendors;

/// <summary>The server in front of simulated vendors with faults: which one delivers, and what the timeline tells of the others.</summary>
public sealed class FailoverTests
{
    [Fact]
    public async Task The_first_refuses_as_sandbox_the_second_throttles_the_third_delivers()
    {
        await using var vendors = await VendorHost.StartAsync();
        await vendors.SetAsync("mailgun", "refuse=sandbox&to=ann@example.com");
        await vendors.SetAsync("ses", "throttle=1&retry_after=30s");
        await using var server = await StartAsync(vendors, "mailgun", "ses", "sendgrid");

        var first = await SendAsync(server, "ann@example.com");
        var other = await SendAsync(server, "bob@example.com");

        Assert.Equal([("mailgun", "refused"), ("ses", "throttled"), ("sendgrid", "accepted")], AttemptsOf(first));
        Assert.Equal(("complete", "sendgrid"), ((string)first["status"]!, (string)first["recipients"]![0]!["transport"]!));
        Assert.Equal(3, (int)first["recipients"]![0]!["tries"]!);
        // The sandbox speaks of one recipient: the circuit hears nothing of it, and the next goes there.
        Assert.Equal([("mailgun", "accepted")], AttemptsOf(other));
        Assert.Equal("closed", (await TransportAsync(server, "mailgun"))["circuit"]!.GetValue<string>());
        Assert.Equal("ann@example.com", (string)Assert.Single(await vendors.MailsAsync("sendgrid"))!["recipients"]![0]!["email"]!);
        Assert.Empty(await vendors.MailsAsync("ses"));
    }

    [Theory]
    [InlineData("ses", 500)]
    [InlineData("ses", 503)]
    [InlineData("sendgrid", 500)]
    [InlineData("sendgrid", 503)]
    [InlineData("mailgun", 500)]
    [InlineData("mailgun", 503)]
    [InlineData("postmark", 500)]
    [InlineData("postmark", 503)]
    [InlineData("resend", 500)]
    [InlineData("resend", 503)]
    public async Task An_outage_in_the_documented_shape_fails_over_at_once_and_opens_the_circuit(string vendor, int status)
    {
        await using var vendors = await VendorHost.StartAsync();
        await vendors.SetAsync(vendor, $"outage=1h&status={status}");
        await using var server = await StartAsync(vendors, vendor, vendor == "sendgrid" ? "ses" : "sendgrid");
        var started = TimeProvider.System.GetTimestamp();

        var mail = await SendAsync(server, "ann@example.com");

        Assert.Equal([(vendor, "unreachable"), (vendor == "sendgrid" ? "ses" : "sendgrid", "accepted")], AttemptsOf(mail));
        Assert.Equal(status, (int)mail["attempts"]![0]!["code"]!);
        Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(5));
        for (var n = 0; n < 10; n++)
            Assert.Equal("complete", (string)(await SendAsync(server, $"a{n}@example.com"))["status"]!);
        Assert.Equal("open", (await TransportAsync(server, vendor))["circuit"]!.GetValue<string>());
        Assert.True(await vendors.CallsAsync(vendor) < 11, "an open circuit asks no more");
    }

    [Theory]
    [InlineData("ses")]
    [InlineData("sendgrid")]
    [InlineData("postmark")]
    [InlineData("resend")]
    public async Task A_sender_domain_that_a_vendor_refuses_is_closed_there_for_a_while_and_no_other(string vendor)
    {
        var standby = vendor == "sendgrid" ? "ses" : "sendgrid";
        await using var vendors = await VendorHost.StartAsync();
        await vendors.SetAsync(vendor, "refuse=unverified_sender&to=ann@example.com");
        await using var server = await StartAsync(vendors, vendor, standby);

        var refused = await SendAsync(server, "ann@example.com");
        var calls = await vendors.CallsAsync(vendor);
        var same = await SendAsync(server, "bob@example.com");
        var other = await SendAsync(server, "bob@example.com", from: "shop@example.net");

        Assert.Equal([(vendor, "refused"), (standby, "accepted")], AttemptsOf(refused));
        Assert.Equal([(standby, "accepted")], AttemptsOf(same));
        Assert.Equal([(vendor, "accepted")], AttemptsOf(other));
        Assert.Equal(calls + 1, await vendors.CallsAsync(vendor));
        Assert.Equal("closed", (await TransportAsync(server, vendor))["circuit"]!.GetValue<string>());
    }

    /// <summary>A transport is for one domain at Mailgun, whatever the sender writes in From.</summary>
    [Fact]
    public async Task A_domain_that_Mailgun_refuses_is_the_transport_itself()
    {
        await using var vendors = await VendorHost.StartAsync();
        await vendors.SetAsync("mailgun", "refuse=unverified_sender");
        await using var server = await StartAsync(vendors, "mailgun", "ses");

        var refused = await SendAsync(server, "ann@example.com");
        var other = await SendAsync(server, "bob@example.com", from: "shop@example.net");

        Assert.Equal([("mailgun", "refused"), ("ses", "accepted")], AttemptsOf(refused));
        Assert.Equal([("ses", "accepted")], AttemptsOf(other));
        Assert.Equal("open", (await TransportAsync(server, "mailgun"))["circuit"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("mailgun")]
    [InlineData("sendgrid")]
    public async Task One_of_several_recipients_whom_an_account_may_not_mail_goes_elsewhere_alone(string vendor)
    {
        await using var vendors = await VendorHost.StartAsync();
        await vendors.SetAsync(vendor, "refuse=sandbox&to=ann@example.com");
        await using var server = await StartAsync(vendors, vendor, "ses");

        var mail = await SendAsync(server, new[] { "ann@example.com", "bob@example.com" });

        Assert.Equal([("ann@example.com", "ses"), ("bob@example.com", vendor)], mail["recipients"]!.AsArray()
            .Select(one => ((string)one!["email"]!, (string)one["transport"]!)));
        Assert.Equal("closed", (await TransportAsync(server, vendor))["circuit"]!.GetValue<string>());
    }

    /// <summary>Every row of the outcome table that a vendor can cause, and what becomes of the message.</summary>
    public static TheoryData<string, string, string, bool> Rows()
    {
        var rows = new TheoryData<string, string, string, bool>();
        foreach (var vendor in (string[])["ses", "sendgrid", "mailgun", "postmark", "resend"])
        {
            rows.Add(vendor, "refuse=invalid_recipient", "rejected", false);
            rows.Add(vendor, "refuse=rejected", "rejected", false);
            rows.Add(vendor, "refuse=too_large", "unfit", true);
            rows.Add(vendor, "refuse=sandbox", "refused", true);
            rows.Add(vendor, "refuse=unverified_sender", "refused", true);
            rows.Add(vendor, "refuse=suspended", "refused", true);
            rows.Add(vendor, "refuse=bad_key", "refused", true);
            rows.Add(vendor, "throttle=1&retry_after=30s", "throttled", true);
            rows.Add(vendor, "fail=1", "unreachable", true);
        }
        return rows;
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task Each_vendor_fails_in_each_way(string vendor, string faults, string outcome, bool failsOver)
    {
        var standby = vendor == "sendgrid" ? "ses" : "sendgrid";
        await using var vendors = await VendorHost.StartAsync();
        await vendors.SetAsync(vendor, faults);
        await using var server = await StartAsync(vendors, vendor, standby);

        var mail = await SendAsync(server, "ann@example.com");

        var expected = failsOver ? new[] { (vendor, outcome), (standby, "accepted") } : [(vendor, outcome)];
        Assert.Equal(expected, AttemptsOf(mail));
        Assert.Equal(failsOver ? 1 : 0, (await vendors.MailsAsync(standby)).Count);
        Assert.Empty(await vendors.MailsAsync(vendor));
    }

    [Theory]
    [InlineData("ses", "break=1")]
    [InlineData("sendgrid", "break=1")]
    [InlineData("mailgun", "break=1")]
    [InlineData("postmark", "break=1")]
    [InlineData("resend", "break=1")]
    [InlineData("ses", "cut=1")]
    [InlineData("sendgrid", "cut=1")]
    [InlineData("mailgun", "cut=1")]
    [InlineData("postmark", "cut=1")]
    [InlineData("resend", "cut=1")]
    [InlineData("ses", "hang=1")]
    [InlineData("sendgrid", "hang=1")]
    [InlineData("mailgun", "hang=1")]
    [InlineData("postmark", "hang=1")]
    public async Task What_may_have_been_accepted_never_fails_over(string vendor, string faults)
    {
        var standby = vendor == "sendgrid" ? "ses" : "sendgrid";
        await using var vendors = await VendorHost.StartAsync();
        await vendors.SetAsync(vendor, faults);
        await using var server = await TestServer.StartAsync(
            ("TRANSPORTS", $"{vendors.Dsn(vendor, "timeout=1s")} {vendors.Dsn(standby)}"));

        var id = await AcceptAsync(server, "ann@example.com");
        var mail = await server.GetEmailAsync(id, email => email["attempts"]!.AsArray().Count > 0);

        Assert.Equal((vendor, "unknown"), AttemptsOf(mail)[0]);
        await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System);
        mail = await server.GetEmailAsync(id, _ => true);
        Assert.All(AttemptsOf(mail), attempt => Assert.Equal((vendor, "unknown"), attempt));
        Assert.Empty(await vendors.MailsAsync(standby));
        Assert.Equal(faults == "break=1" ? 0 : 1, (await vendors.MailsAsync(vendor)).Count);
    }

    static Task<TestServer> StartAsync(VendorHost vendors, params string[] order) =>
        TestServer.StartAsync(("TRANSPORTS", string.Join(' ', order.Select(vendor => vendors.Dsn(vendor)))));

    static async Task<string> AcceptAsync(TestServer server, object to, string from = "shop@example.org")
    {
        using var answer = await server.Client.PostAsJsonAsync("/emails",
            new { from, to, subject = "Your order", text = "It is on its way." });
        return (string)(await answer.Content.ReadFromJsonAsync<JsonNode>())!["id"]!;
    }

    static async Task<JsonNode> SendAsync(TestServer server, object to, string from = "shop@example.org") =>
        await server.GetEmailAsync(await AcceptAsync(server, to, from), email => (string?)email["status"] != "incomplete");

    static (string, string)[] AttemptsOf(JsonNode email) =>
        [.. email["attempts"]!.AsArray().Select(attempt => ((string)attempt!["transport"]!, (string)attempt["outcome"]!))];

    static async Task<JsonNode> TransportAsync(TestServer server, string name) =>
        JsonNode.Parse(await server.Client.GetStringAsync("/transports"))!["data"]!.AsArray().Single(one => (string)one!["name"]! == name)!;
}
