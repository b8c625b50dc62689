using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>The files that others read: container engines, Kubernetes, systemd. Each is held against its reader's own rules.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class DeploymentFilesTests
{
    public static TheoryData<string, string> Files { get; } = new()
    {
        { "docker", "Dockerfile" },
        { "compose", "compose.yaml" },
        { "compose", "compose.postgres.yaml" },
        { "kubernetes", "deploy/kubernetes/one-node.yaml" },
        { "kubernetes", "deploy/kubernetes/many-nodes.yaml" },
    };

    [Theory, MemberData(nameof(Files))]
    public void A_file_is_what_its_reader_expects(string kind, string file) =>
        Assert.Equal("", Validate(kind, Repository.Path(file)));

    [Theory]
    [InlineData("docker", "Dockerfile", "\nUSER ", "\nUSERS ")]
    [InlineData("compose", "compose.yaml", "read_only:", "readonly:")]
    [InlineData("compose", "compose.yaml", "[ALL]", "ALL")]
    [InlineData("kubernetes", "deploy/kubernetes/one-node.yaml", "httpGet:", "httpget:")]
    [InlineData("kubernetes", "deploy/kubernetes/one-node.yaml", "replicas: 1", "replicas: one")]
    public void A_mistake_is_found(string kind, string file, string right, string wrong)
    {
        var folder = Directory.CreateTempSubdirectory("postrider-");
        try
        {
            var text = File.ReadAllText(Repository.Path(file));
            Assert.Contains(right, text, StringComparison.Ordinal);
            var path = Path.Combine(folder.FullName, Path.GetFileName(file));
            File.WriteAllText(path, text.Replace(right, wrong, StringComparison.Ordinal));
            Assert.NotEqual("", Validate(kind, path));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("Dockerfile")]
    [InlineData("compose.yaml")]
    [InlineData("compose.postgres.yaml")]
    [InlineData("deploy/kubernetes/one-node.yaml")]
    [InlineData("deploy/kubernetes/many-nodes.yaml")]
    [InlineData("deploy/systemd/postrider.service")]
    public void Every_setting_in_it_is_one(string file)
    {
        var known = File.ReadAllText(Repository.Path("postrider.env.example"));
        var named = Settings().Matches(File.ReadAllText(Repository.Path(file))).Select(m => m.Value).Distinct().ToList();
        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains($"#{name}=", known, StringComparison.Ordinal));
    }

    [Fact]
    public void Systemd_reads_the_unit_without_a_word_and_finds_little_exposed()
    {
        var systemd = Requires.Program("systemd-analyze");
        var folder = Directory.CreateTempSubdirectory("postrider-");
        try
        {
            var unit = Path.Combine(folder.FullName, "postrider.service");
            var text = File.ReadAllText(Repository.Path("deploy/systemd/postrider.service"));
            File.WriteAllText(unit, text.Replace("/opt/postrider/postrider", "/bin/true", StringComparison.Ordinal));
            var (code, output, error) = Peers.Run(systemd, "verify", unit);
            Assert.Equal((0, "", ""), (code, output, error));
            // Of 0 (nothing exposed) to 100.
            Assert.Equal(0, Peers.Run(systemd, "security", "--offline=true", "--threshold=20", unit).Code);

            File.WriteAllText(unit, text.Replace("ProtectSystem=", "ProtectSystems=", StringComparison.Ordinal));
            Assert.Contains("ProtectSystems", Peers.Run(systemd, "verify", unit).Error, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    static string Validate(string kind, string path)
    {
        Peers.Install();
        var (code, output, error) = Peers.Run(Requires.Program("node"), "validate-deployment.mjs", kind, path);
        Assert.True(code == 0, error);
        return output;
    }

    [GeneratedRegex("POSTRIDER_[A-Z_]+[A-Z]")]
    private static partial Regex Settings();
}
