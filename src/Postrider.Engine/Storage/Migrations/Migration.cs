namespace Postrider.Storage.Migrations;

/// <summary>One step of the schema, applied once, in order, in a transaction of its own. A step that was released is never
/// changed.</summary>
/// <param name="Version">From 1, without gaps.</param>
/// <param name="Sql">Statements of the engine that it is for.</param>
sealed record Migration(int Version, string Name, string Sql);
