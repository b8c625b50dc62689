using System.Net;
using System.Net.Sockets;
using Postrider.Messages;
using Postrider.Webhooks;
using Xunit;

namespace Postrider.Engine.Tests.Webhooks;

/// <summary>Where a customer's URL may not lead, however it is written.</summary>
public sealed class AddressRulesTests
{
    // The IANA IPv4 and IPv6 special-purpose address registries, a first and a last address of each, and multicast.
    [Theory]
    [InlineData("0.0.0.0"), InlineData("0.255.255.255")]
    [InlineData("10.0.0.0"), InlineData("10.255.255.255")]
    [InlineData("100.64.0.0"), InlineData("100.127.255.255")]
    [InlineData("127.0.0.1"), InlineData("127.255.255.255")]
    [InlineData("169.254.0.0"), InlineData("169.254.169.254"), InlineData("169.254.255.255")]
    [InlineData("172.16.0.0"), InlineData("172.31.255.255")]
    [InlineData("192.0.0.0"), InlineData("192.0.0.8"), InlineData("192.0.0.170"), InlineData("192.0.0.255")]
    [InlineData("192.0.2.0"), InlineData("192.0.2.255")]
    [InlineData("192.88.99.0"), InlineData("192.88.99.255")]
    [InlineData("192.168.0.0"), InlineData("192.168.255.255")]
    [InlineData("198.18.0.0"), InlineData("198.19.255.255")]
    [InlineData("198.51.100.0"), InlineData("198.51.100.255")]
    [InlineData("203.0.113.0"), InlineData("203.0.113.255")]
    [InlineData("224.0.0.1"), InlineData("239.255.255.255")]
    [InlineData("240.0.0.0"), InlineData("255.255.255.255")]
    [InlineData("::"), InlineData("::1")]
    [InlineData("::ffff:127.0.0.1"), InlineData("::ffff:10.0.0.1"), InlineData("::ffff:169.254.169.254")]
    [InlineData("::127.0.0.1"), InlineData("::ffff:0:127.0.0.1")]
    [InlineData("64:ff9b::7f00:1"), InlineData("64:ff9b::a9fe:a9fe"), InlineData("64:ff9b:1::"), InlineData("64:ff9b:1:ffff:ffff:ffff:ffff:ffff")]
    [InlineData("100::"), InlineData("100::ffff:ffff:ffff:ffff"), InlineData("100:0:0:1::1")]
    [InlineData("2001::"), InlineData("2001:0:ffff:ffff::1"), InlineData("2001:2::1"), InlineData("2001:10::1"), InlineData("2001:2f::1")]
    [InlineData("2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff")]
    [InlineData("2001:db8::"), InlineData("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")]
    [InlineData("2002:7f00:1::"), InlineData("2002:ffff::1")]
    [InlineData("3fff::1"), InlineData("3fff:fff::1")]
    [InlineData("5f00::1")]
    [InlineData("fc00::"), InlineData("fd00::1"), InlineData("fdff:ffff::1")]
    [InlineData("fe80::1"), InlineData("febf::1"), InlineData("fe80::1%1"), InlineData("fec0::1")]
    [InlineData("ff02::1"), InlineData("ffff::1")]
    public void Special_addresses_are_not_of_the_world(string address) => Assert.False(NetworkAddresses.IsGlobal(IPAddress.Parse(address)));

    // Just beside them.
    [Theory]
    [InlineData("1.0.0.0"), InlineData("9.255.255.255"), InlineData("11.0.0.0"), InlineData("100.63.255.255"), InlineData("100.128.0.0")]
    [InlineData("126.255.255.255"), InlineData("128.0.0.0"), InlineData("169.253.255.255"), InlineData("172.15.255.255")]
    [InlineData("172.32.0.0"), InlineData("192.0.1.0"), InlineData("198.17.255.255"), InlineData("198.20.0.0"), InlineData("223.255.255.255")]
    [InlineData("::ffff:8.8.8.8"), InlineData("64:ff9b::808:808"), InlineData("2001:200::1"), InlineData("2001:4860:4860::8888")]
    [InlineData("2606:4700::1"), InlineData("2a00::1")]
    public void All_others_are(string address) => Assert.True(NetworkAddresses.IsGlobal(IPAddress.Parse(address)));

    static readonly WebhookTargets Strict = new([], (_, _) => Task.FromResult<IPAddress[]>([]));

    [Theory]
    [InlineData("http://127.1/"), InlineData("http://0x7f.1/"), InlineData("http://2130706433/"), InlineData("http://017700000001/")]
    [InlineData("http://0x7f000001"), InlineData("http://127.0.0.1.")]
    [InlineData("http://[::ffff:127.0.0.1]/"), InlineData("http://[64:ff9b::7f00:1]/"), InlineData("http://①②⑦.0.0.1/")]
    [InlineData("http://１２７.0.0.1/"), InlineData("http://127。0。0。1/"), InlineData("http://localhost/"), InlineData("http://LOCALHOST./")]
    [InlineData("http://x.localhost/"), InlineData("http://metadata.google.internal/"), InlineData("http://db/"), InlineData("http://db.local/")]
    [InlineData("http://169.254.169.254/latest/meta-data/"), InlineData("https://10.0.0.1/"), InlineData("https://100.64.0.1/")]
    [InlineData("https://[fd00::1]/"), InlineData("https://[fe80::1%25eth0]/"), InlineData("https://[::]/")]
    [InlineData("file:///etc/passwd"), InlineData("gopher://example.com/"), InlineData("ftp://example.com/"), InlineData("javascript:alert(1)")]
    [InlineData("//example.com/"), InlineData("example.com"), InlineData(""), InlineData("https://"), InlineData("https:example.com")]
    [InlineData("https://ok@evil.com/"), InlineData("https://user:pass@example.com/"), InlineData("https://@example.com/")]
    [InlineData("https://example.com:25/"), InlineData("http://example.com:6379/"), InlineData("https://example.com:8443/")]
    [InlineData("https://example.com\\@evil.com/"), InlineData("https:\\\\example.com/"), InlineData("https://exa mple.com/")]
    [InlineData("https://example.com/\r\nX: y"), InlineData("https://example.com/#part"), InlineData("https://exam%70le.com/")]
    [InlineData("https://bücher.example/")]
    public void A_URL_that_leads_elsewhere_or_is_written_oddly_is_refused(string url)
    {
        Assert.Null(Strict.Read(url, TenantId.First, out var fault));
        Assert.NotEmpty(fault!);
    }

    [Theory]
    [InlineData("https://example.com"), InlineData("https://example.com/hooks?a=b&c=%20"), InlineData("http://example.com:80/")]
    [InlineData("https://example.com:443/x"), InlineData("https://xn--bcher-kva.example/"), InlineData("https://8.8.8.8/")]
    [InlineData("https://[2606:4700::1]/"), InlineData("http://example.com:443/"), InlineData("https://a_b.example.com./")]
    public void A_URL_of_the_world_is_taken(string url)
    {
        Assert.NotNull(Strict.Read(url, new TenantId(2), out var fault));
        Assert.Null(fault);
    }

    [Fact]
    public void What_the_operator_allows_is_for_the_first_tenant_alone()
    {
        var targets = new WebhookTargets(
            WebhookTargets.Parse("127.0.0.1/32:* 10.0.0.0/8:8080 [fd00::/8]:9000", out var faults),
            (_, _) => Task.FromResult<IPAddress[]>([]));
        Assert.Empty(faults);
        string[] mine = ["http://127.0.0.1:1234/", "http://10.1.2.3:8080/", "http://[fd00::1]:9000/", "http://localhost:8080/"];
        foreach (var url in mine)
        {
            Assert.NotNull(targets.Read(url, TenantId.First, out _));
            Assert.Null(targets.Read(url, new TenantId(2), out _));
        }
        Assert.Null(targets.Read("http://10.1.2.3:8081/", TenantId.First, out _));
        Assert.Null(targets.Read("http://127.1:1234/", TenantId.First, out _));
        Assert.Null(targets.Read("http://127.0.0.2/", TenantId.First, out _));
    }

    [Theory]
    [InlineData("127.0.0.1"), InlineData("127.0.0.1/32"), InlineData("127.0.0.1/32:0"), InlineData("127.0.0.1/33:*"), InlineData("host:80")]
    public void A_setting_that_is_no_network_and_port_is_a_fault(string text)
    {
        Assert.Empty(WebhookTargets.Parse(text, out var faults));
        Assert.Single(faults);
    }

    // DNS is asked at every connection: a name that led outside when it was saved may lead inside now.
    [Theory]
    [InlineData("10.0.0.1"), InlineData("8.8.8.8 127.0.0.1"), InlineData("::ffff:169.254.169.254")]
    public async Task A_name_that_leads_inside_is_refused_when_it_is_connected_to(string addresses)
    {
        var targets = new WebhookTargets([], (_, _) => Task.FromResult(addresses.Split(' ').Select(IPAddress.Parse).ToArray()));
        Assert.NotNull(targets.Read("https://rebound.example/", TenantId.First, out _));
        await Assert.ThrowsAsync<TargetRefusedException>(() => targets.ResolveAsync("rebound.example", 443, TenantId.First, default));
    }

    [Fact]
    public async Task A_name_without_addresses_is_a_fault_of_the_network() =>
        await Assert.ThrowsAsync<SocketException>(() => Strict.ResolveAsync("nothing.example", 443, TenantId.First, default));
}
