using System.Text;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Simulated;

namespace Postrider.Simulation;

/// <summary>Takes the place of a kind of provider: transports are read and checked as ever, and what they would carry is known, but who
/// answers is simulated.</summary>
sealed class TrialProviderFactory(IProviderFactory real, Scenario scenario, TimeProvider clock) : IProviderFactory, IAsyncDisposable
{
    readonly List<IProvider> _real = [];

    public string Scheme => real.Scheme;
    public IReadOnlyCollection<string> OptionNames => real.OptionNames;
    public IReadOnlyList<string> Check(TransportSettings settings)
    {
        var faults = new List<string>(real.Check(settings));
        if (faults.Count == 0)
            SimulatedOptions.Read(Simulated(settings, scenario), faults);
        return faults;
    }

    public IProvider Create(TransportSettings settings)
    {
        var provider = real.Create(settings); // for what it can carry; it is never asked to
        _real.Add(provider);
        var options = SimulatedOptions.Read(Simulated(settings, scenario), []);
        return new SimulatedProvider(options, clock, new SeededEntropy(options.Seed ?? SeedOf(settings.Name)))
        {
            Capabilities = provider.Capabilities,
        };
    }

    /// <summary>With the options of <c>sim://</c> that it has on trial.</summary>
    public static TransportSettings Simulated(TransportSettings settings, Scenario scenario)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        if (settings.Scheme == "sim")
            Add(settings.Options);
        if (scenario.Behaviour.TryGetValue(settings.Name, out var behaviour))
            Add(behaviour);
        return settings with { Options = options };

        void Add(IReadOnlyDictionary<string, string> more)
        {
            foreach (var (name, value) in more)
                options[name] = value;
        }
    }

    /// <summary>Of its own for each transport, and the same in every process (FNV-1a).</summary>
    ulong SeedOf(string transport)
    {
        var hash = 14695981039346656037UL ^ scenario.Seed;
        foreach (var letter in Encoding.UTF8.GetBytes(transport))
            hash = (hash ^ letter) * 1099511628211UL;
        return hash;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var provider in _real)
            await provider.DisposeAsync();
        _real.Clear();
    }
}
