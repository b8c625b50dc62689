using Postrider.Messages;

namespace Postrider.Providers.Http;

/// <summary>Makes the transports of one vendor. Settings are read in one place, for the check and for the making.</summary>
public abstract class VendorProviderFactory : IProviderFactory
{
    public abstract string Scheme { get; }

    public abstract IReadOnlyCollection<string> OptionNames { get; }

    public IReadOnlyList<string> Check(TransportSettings settings)
    {
        var faults = new List<string>();
        Read(settings, faults);
        return faults;
    }

    public IProvider Create(TransportSettings settings)
    {
        var faults = new List<string>();
        var make = Read(settings, faults);
        return faults.Count == 0
            ? make()
            : throw new ArgumentException($"{settings.Name}: {string.Join("; ", faults)}", nameof(settings));
    }

    /// <summary>Adds what is wrong; what it returns is called only where nothing is.</summary>
    protected abstract Func<IProvider> Read(TransportSettings settings, List<string> faults);
}
