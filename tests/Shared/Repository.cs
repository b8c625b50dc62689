namespace Postrider.Testing;

/// <summary>Where the sources, documents and scripts are that tests look at.</summary>
public static class Repository
{
    /// <summary>The folder of the solution, above the tests' own.</summary>
    public static string Root { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root, .. parts]);

    static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Postrider.slnx")))
                return folder.FullName;
        }
        throw new InvalidOperationException("The tests do not run from within the repository.");
    }
}
