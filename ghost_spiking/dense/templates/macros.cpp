{# Lets threads share the loop that follows, if it is worthwhile to wake them. #}
{% macro in_parallel(size) %}
{% if openmp_pragma('with_openmp') %}
{{openmp_pragma('parallel-static')}} if({{size}} > 4000)
{% endif %}
{% endmacro %}

{# Evaluates the one-sided factors of a block into their buffers. #}
{% macro evaluate(block, size, scalar_code, vector_code) %}
{% if block in vector_code %}
    {
        const size_t _vectorisation_idx = -1;
        {{scalar_code[block]|autoindent}}
        {{in_parallel(size)}}
        for (size_t _idx = 0; _idx < {{size}}; _idx++)
        {
            const size_t _vectorisation_idx = _idx;
            {{vector_code[block]|autoindent}}
        }
    }
{% endif %}
{% endmacro %}

{# Coefficients that are the same for all synapses. #}
{% macro scalars(scalar_code, vector_code) %}
{% if 'scalars' in scalar_code %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code['scalars']|autoindent}}
    {{vector_code['scalars']|autoindent}}
{% endif %}
{% endmacro %}

{# Computes something for each row and synapse, and adds it up where `index` says. The matrix is
   walked through as it is stored. #}
{% macro each(e, kwds, variables, get_array_name, scalar_code, vector_code, out, index) %}
{% set outer, inner = ('post', 'pre') if kwds.stored_transposed else ('pre', 'post') %}
{% set sizes = {'pre': kwds.n_pre, 'post': kwds.n_post} %}
if ({{e.scale}} != 0)
{
    const size_t _vectorisation_idx = -1;
    {{scalar_code[e.block]|autoindent}}
    for (size_t _row = 0; _row < _n_rows; _row++)
        for (size_t _{{outer}} = 0; _{{outer}} < {{sizes[outer]}}; _{{outer}}++)
        {
            {% for side, name, array in e.parts if side == outer %}
            const {{c_data_type(variables[array].dtype)}} {{name}} = {{get_array_name(variables[array])}}[_row * {{sizes[outer]}} + _{{outer}}];
            {% endfor %}
            for (size_t _{{inner}} = 0; _{{inner}} < {{sizes[inner]}}; _{{inner}}++)
            {
                const size_t _vectorisation_idx = _{{inner}};
                {% for side, name, array in e.parts if side == inner %}
                const {{c_data_type(variables[array].dtype)}} {{name}} = {{get_array_name(variables[array])}}[_row * {{sizes[inner]}} + _{{inner}}];
                {% endfor %}
                {% for side, name, array in e.parts if side == 'matrix' %}
                const {{c_data_type(variables[array].dtype)}} {{name}} = {{get_array_name(variables[array])}}[_{{outer}} * {{sizes[inner]}} + _{{inner}}];
                {% endfor %}
                {{vector_code[e.block]|autoindent}}
                {{out}}[{{index}}] += {{e.scale}} * {{e.value}};
            }
        }
}
{% endmacro %}

{# The rows that a ClampedInput shows. #}
{% macro rows(value, name) %}
    const size_t _n_rows = {{value}};
    if (_n_rows < 1)
        throw std::runtime_error("{{name}}: the batch has no rows; its ClampedInput has to be in the network");
{% endmacro %}
