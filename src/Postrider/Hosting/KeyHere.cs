using Postrider.Tenants;

namespace Postrider.Hosting;

/// <summary>The master key of this machine, as a start would find it: given in the settings, else a file in the data folder. None is made
/// here.</summary>
static class KeyHere
{
    /// <summary>The settings give it, as text or as a file of the operator's.</summary>
    public static bool IsGiven(PostriderOptions options) =>
        !string.IsNullOrEmpty(options.MasterKey) || !string.IsNullOrEmpty(options.MasterKeyFile);

    /// <summary>Where it lies when the settings do not give it.</summary>
    public static string OwnFile(PostriderOptions options) => MasterKey.FileIn(Path.GetFullPath(options.Data));

    /// <summary>A key is given or lies here, whether or not it can be read.</summary>
    public static bool Exists(PostriderOptions options) => IsGiven(options) || File.Exists(OwnFile(options));

    /// <summary>Null: there is none, or the settings have a fault.</summary>
    public static MasterKey? Find(PostriderOptions options)
    {
        try
        {
            return Exists(options) ? MasterKey.Load(options.MasterKey, options.MasterKeyFile, options.Data, Entropy.System) : null;
        }
        catch (MasterKeyException)
        {
            return null;
        }
    }

    /// <summary>The text of the key that <see cref="Find"/> found.</summary>
    public static async Task<string> ReadTextAsync(PostriderOptions options, CancellationToken ct) =>
        !string.IsNullOrEmpty(options.MasterKey) ? options.MasterKey.Trim()
            : (await File.ReadAllTextAsync(
                string.IsNullOrEmpty(options.MasterKeyFile) ? OwnFile(options) : options.MasterKeyFile, ct)).Trim();
}
