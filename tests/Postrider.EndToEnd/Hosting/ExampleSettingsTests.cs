using System.Collections;
using System.Text.RegularExpressions;
using Postrider.Hosting;
using Postrider.Routing;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary><c>postrider.env.example</c> is complete and says the defaults as they are; so is the page of transports' options.</summary>
public sealed partial class ExampleSettingsTests
{
    static readonly IReadOnlyList<(string Name, string Value)> Lines =
        [.. Line().Matches(File.ReadAllText(Repository.Path("postrider.env.example"))).Select(m => (m.Groups["name"].Value, m.Groups["value"].Value.TrimEnd('\r')))];

    [Fact]
    public void Every_setting_is_in_the_example_once() =>
        Assert.Equal(
            Defaults().Select(s => ConfigurationEntry.PlainKey(s.Key)).Order(StringComparer.Ordinal),
            Lines.Select(l => ConfigurationEntry.PlainKey(l.Name["POSTRIDER_".Length..].Replace("__", ":", StringComparison.Ordinal)))
                .Order(StringComparer.Ordinal));

    [Fact]
    public void The_example_says_the_defaults()
    {
        var variables = new Hashtable();
        foreach (var (name, value) in Lines.Where(l => l.Value.Length > 0))
            variables[name] = value;
        var configuration = LoadedConfiguration.Load([], variables);
        Assert.Empty(configuration.Faults);
        var stated = configuration.Show().Where(s => s.Origin != "default").ToDictionary(s => s.Key, s => s.Value);
        Assert.Equal(Lines.Count(l => l.Value.Length > 0), stated.Count);
        Assert.All(
            Defaults().Where(s => s.Value.Length > 0 && stated.ContainsKey(s.Key)),
            s => Assert.Equal((s.Key, s.Value), (s.Key, stated[s.Key])));
    }

    [Fact]
    public void Every_option_of_a_transport_is_described()
    {
        var described = File.ReadAllText(Repository.Path("docs", "transports.md"));
        var options = TransportOptions.Names.Concat(Rooms.ProvidersForChecking.SelectMany(factory => factory.OptionNames));

        Assert.All(options.Distinct(), option => Assert.Contains($"{option}=", described, StringComparison.Ordinal));
        Assert.All(
            Rooms.ProvidersForChecking, factory => Assert.Contains($"{factory.Scheme}://", described, StringComparison.Ordinal));
    }

    static IEnumerable<ShownSetting> Defaults() => LoadedConfiguration.Load([], new Hashtable()).Show();

    [GeneratedRegex("^#?(?<name>POSTRIDER_[A-Z_]+)=(?<value>.*)$", RegexOptions.Multiline)]
    private static partial Regex Line();
}
