using System.Reflection;

namespace Postrider.Hosting;

/// <summary>Loads what sending may need later while it still can: the runtime remembers for good that an assembly could not be loaded, so
/// that a process without a free file descriptor at the first use of one would never send again.</summary>
static class LoadedAhead
{
    const string Ours = "Postrider.";
    const string Net = "System.";

    /// <summary>What our libraries refer to, and what of .NET that refers to; not what answers HTTP, which has answered before it can run
    /// out of anything.</summary>
    public static void Load()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var waiting = new Queue<AssemblyName>(Assembly.GetExecutingAssembly().GetReferencedAssemblies()
            .Where(name => name.Name!.StartsWith(Ours, StringComparison.Ordinal)));
        while (waiting.TryDequeue(out var name))
        {
            if (!seen.Add(name.FullName))
                continue;
            try
            {
                foreach (var next in Assembly.Load(name).GetReferencedAssemblies())
                {
                    if (next.Name!.StartsWith(Ours, StringComparison.Ordinal) || next.Name.StartsWith(Net, StringComparison.Ordinal))
                        waiting.Enqueue(next);
                }
            }
            catch (FileNotFoundException)
            {
                // A reference that is not shipped is not used.
            }
        }
    }
}
