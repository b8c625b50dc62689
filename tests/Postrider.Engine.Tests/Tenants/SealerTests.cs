using System.Text;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Engine.Tests.Tenants;

public sealed class SealerTests
{
    static readonly byte[] Secret = Encoding.UTF8.GetBytes("canary-secret-4711");
    static readonly Sealer Sealer = new(MasterKey.Parse(Convert.ToBase64String(new byte[32]), "test"), Entropy.System);
    static readonly byte[] Sealed = Sealer.Seal(Secret, new TenantId(1), "api_keys.sealed_secret", "a");

    [Fact]
    public void What_is_sealed_opens_in_its_place_only()
    {
        Assert.True(Sealer.TryOpen(Sealed, new TenantId(1), "api_keys.sealed_secret", "a", out var opened));
        Assert.Equal(Secret, opened);
        Assert.False(Sealer.TryOpen(Sealed, new TenantId(2), "api_keys.sealed_secret", "a", out _));
        Assert.False(Sealer.TryOpen(Sealed, new TenantId(1), "transports.password", "a", out _));
        Assert.False(Sealer.TryOpen(Sealed, new TenantId(1), "api_keys.sealed_secret", "b", out _));
        // Names that run into one another are different places.
        Assert.False(Sealer.TryOpen(Sealed, new TenantId(1), "api_keys.sealed_secreta", "", out _));
    }

    [Fact]
    public void Every_changed_byte_and_every_cut_is_noticed()
    {
        for (var i = 0; i < Sealed.Length; i++)
        {
            var changed = Sealed.ToArray();
            changed[i] ^= 1;
            Assert.False(Sealer.TryOpen(changed, new TenantId(1), "api_keys.sealed_secret", "a", out _), $"byte {i}");
            Assert.False(Sealer.TryOpen(Sealed.AsSpan(0, i), new TenantId(1), "api_keys.sealed_secret", "a", out _), $"cut at {i}");
        }
    }

    [Fact]
    public void Another_master_key_opens_nothing()
    {
        var other = new Sealer(MasterKey.Parse(Convert.ToBase64String([.. Enumerable.Repeat((byte)1, 32)]), "test"), Entropy.System);
        Assert.False(other.TryOpen(Sealed, new TenantId(1), "api_keys.sealed_secret", "a", out _));
    }

    [Fact]
    public void The_same_secret_is_sealed_differently_each_time_and_never_shows()
    {
        Assert.NotEqual(Sealed, Sealer.Seal(Secret, new TenantId(1), "api_keys.sealed_secret", "a"));
        Assert.True(Sealed.AsSpan().IndexOf(Secret) < 0);
    }

    [Fact]
    public void An_empty_secret_can_be_sealed()
    {
        Assert.True(Sealer.TryOpen(Sealer.Seal([], default, "c", ""), default, "c", "", out var opened));
        Assert.Empty(opened);
    }
}
