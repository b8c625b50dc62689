using System.Runtime.Versioning;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Engine.Tests.Tenants;

[UnsupportedOSPlatform("windows")]
public sealed class MasterKeyTests : IDisposable
{
    static readonly string Good = Convert.ToBase64String([.. Enumerable.Range(0, 32).Select(i => (byte)i)]);

    readonly string _folder = Directory.CreateTempSubdirectory("postrider-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_key_is_made_in_the_data_folder_for_its_owner_alone_and_found_again()
    {
        var data = Path.Combine(_folder, "data");
        var made = MasterKey.Load(null, "", data, Entropy.System);
        var file = Path.Combine(data, "master.key");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal([file], Directory.GetFiles(data));
        Assert.Equal(made.Id, MasterKey.Load(null, null, data, Entropy.System).Id);
        Assert.NotEqual(made.Id, MasterKey.Load(null, null, Path.Combine(_folder, "other"), Entropy.System).Id);
    }

    [Fact]
    public void A_half_written_key_of_a_crash_is_passed_over()
    {
        File.WriteAllText(Path.Combine(_folder, "master.key.new"), "AAAA");
        Assert.Equal(32, MasterKey.Load(null, null, _folder, Entropy.System).Derive("test").Length);
    }

    [Theory]
    [InlineData("c2hvcnQ=")]
    [InlineData("not base64")]
    [InlineData("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g")]   // 33 bytes
    [InlineData("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")]   // hexadecimal
    public void A_key_of_the_wrong_length_is_refused_without_being_shown(string text)
    {
        var fault = Assert.Throws<MasterKeyException>(() => MasterKey.Load(text, null, _folder, Entropy.System));
        Assert.Contains("POSTRIDER_MASTER_KEY", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(text, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_strangers_can_read_is_refused()
    {
        var file = Path.Combine(_folder, "secret");
        File.WriteAllText(file, Good + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Contains("chmod 600", Assert.Throws<MasterKeyException>(() => MasterKey.Load(null, file, _folder, Entropy.System)).Message,
            StringComparison.Ordinal);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Equal(MasterKey.Parse(Good, "test").Id, MasterKey.Load(null, file, _folder, Entropy.System).Id);
    }

    [Fact]
    public void A_key_in_the_data_folder_that_strangers_can_read_is_refused()
    {
        MasterKey.Load(null, null, _folder, Entropy.System);
        File.SetUnixFileMode(Path.Combine(_folder, "master.key"), UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Throws<MasterKeyException>(() => MasterKey.Load(null, null, _folder, Entropy.System));
    }

    [Fact]
    public void Two_sources_at_once_are_refused() =>
        Assert.Throws<MasterKeyException>(() => MasterKey.Load(Good, Path.Combine(_folder, "secret"), _folder, Entropy.System));

    [Fact]
    public void A_file_that_is_not_there_is_refused_and_not_made()
    {
        Assert.Throws<MasterKeyException>(() => MasterKey.Load(null, Path.Combine(_folder, "secret"), _folder, Entropy.System));
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task A_database_sealed_with_another_key_is_refused()
    {
        var store = new MemoryKeyStore();
        await MasterKey.Parse(Good, "test").VerifyAsync(store, Entropy.System, default);
        await MasterKey.Parse(Good, "test").VerifyAsync(store, Entropy.System, default);
        var other = MasterKey.Parse(Convert.ToBase64String(new byte[32]), "test");
        await Assert.ThrowsAsync<MasterKeyException>(() => other.VerifyAsync(store, Entropy.System, default));
    }

    [Fact]
    public void Keys_for_different_purposes_differ()
    {
        var master = MasterKey.Parse(Good, "test");
        Assert.Equal(master.Derive("a"), master.Derive("a"));
        Assert.NotEqual(master.Derive("a"), master.Derive("b"));
        Assert.NotEqual(Convert.FromBase64String(Good), master.Derive("a"));
    }
}
