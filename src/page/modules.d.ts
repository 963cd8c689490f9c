/** Style sheets are imported for their effect. */
declare module 'virtual:colours.css';
declare module '@fontsource-variable/atkinson-hyperlegible-next';
